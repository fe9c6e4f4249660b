"""The command `examples/loop`. It ends with 1 if the loop did not close, 3 if a part failed."""

import argparse
import json
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from closed.document import line_of, lines_of, tell_all
from closed.lookout import Said
from closed.story import Loop


def main() -> int:
    """Play, and tell it."""
    given = arguments()
    signal.signal(signal.SIGTERM, _stop)
    out = sys.stderr if given.json else sys.stdout

    def tell(said: Said, row: int) -> None:
        line = line_of(said)
        if line:
            print(f"{row:>7,}  {line}", file=out, flush=True)

    with tempfile.TemporaryDirectory(prefix="windage-loop-") as scratch:
        print("training version 1 on 40,000 rows of 2014 and 2015", file=out, flush=True)
        with Loop(Path(scratch), sabotage=given.sabotage, coin=given.coin, port=given.port) as loop:
            print(f"{loop.url}/  shows it as it goes", file=out, flush=True)
            began = time.monotonic()
            loop.play(tell)
            found = tell_all(loop, time.monotonic() - began)
            print(json.dumps(found, indent=2) if given.json else "\n".join(lines_of(found)))
            if not given.once:
                print("Ctrl-C ends", file=sys.stderr)
                with suppress(KeyboardInterrupt):
                    signal.pause()
    return 0 if found["closed"] else 1


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="examples/loop", description=(__doc__ or "").strip())
    parser.add_argument("--once", action="store_true", help="end when it is over; else serve on")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument(
        "--sabotage", action="store_true", help="serve a first candidate of shuffled labels"
    )
    parser.add_argument(
        "--coin", action="store_true", help="a change by chance, which no retraining can cure"
    )
    parser.add_argument("--port", type=int, help="where Windage listens; default: a free port")
    return parser.parse_args()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, OSError) as error:
        print(f"loop: {error}", file=sys.stderr)
        sys.exit(3)
