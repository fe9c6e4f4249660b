"""Simulates the whole pipeline by number: python -m tests.simulation [--seeds N --from S ...].

Exit code 1: something differed (with --mutation: nothing did).
"""

import argparse
import json
import sys

from tests.simulation.mutations import MUTATIONS
from tests.simulation.run import Report, many, some


def main() -> int:
    """Run and report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many simulations")
    parser.add_argument("--from", type=int, default=0, dest="start", help="number of the first")
    parser.add_argument("--processes", type=int, help="default: one a core")
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), help="break one rule first")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    asked = parser.parse_args()
    numbers, seconds = range(asked.start, asked.start + asked.seeds), 0.0
    if asked.mutation:
        report = some(numbers, asked.mutation, first=True)
    else:
        report = Report.empty()
        for report, seconds in many(numbers, asked.processes):  # noqa: B007 - the last one counts
            print(f"{report.seeds} simulated, {len(report.failures)} failed", file=sys.stderr)  # noqa: T201 - a program
    document = {
        "from": asked.start,
        "seeds": report.seeds,
        "mutation": asked.mutation,
        "failures": {seed: str(found)[:2_000] for seed, found in report.failures.items()},
        "crashes": dict(sorted(report.crashes.items())),
        "raw_duplicates": report.repeated,
        "seconds": round(seconds, 1),
    }
    print(json.dumps(document) if asked.json else json.dumps(document, indent=2))  # noqa: T201 - a program
    return int(bool(report.failures) != bool(asked.mutation))


if __name__ == "__main__":
    sys.exit(main())
