"""`scripts/chaos`: hurts real workers on a real broker, and proves that nothing is lost or doubled.

Exit codes: 0 all oracles held, 1 one did not, 2 usage, 3 no broker can be run here.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from scripts.storm.broker import BrokerError
from scripts.storm.run import Plan, say, show, storm
from scripts.storm.soak import soak


def main() -> int:
    """Parse, run, print; the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="records to write")
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=3, help="of the control arm; 0: leave it out")
    parser.add_argument("--soak", action="store_true", help="10 M events, 500 faults, 5 seeds")
    parser.add_argument("--folder", type=Path, help="where logs, and a soak's progress, are kept")
    parser.add_argument("--json", action="store_true", help="one document on stdout")
    given = parser.parse_args()
    if given.soak:
        return soak(given.folder or Path.home() / ".cache" / "windage" / "soak", as_json=given.json)
    plan = Plan(events=given.events, faults=given.faults, seed=given.seed, kills=given.kills)
    try:
        if given.folder is not None:
            outcome = asyncio.run(storm(plan, given.folder))
        else:
            with tempfile.TemporaryDirectory(prefix="windage-chaos-") as folder:
                outcome = asyncio.run(storm(plan, Path(folder)))
    except BrokerError as error:
        say(str(error))
        return 3
    show(outcome.document, as_json=given.json)
    for violation in outcome.violations:
        say(f"VIOLATED {violation}")
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
