"""Simulates the whole pipeline by number: python -m tests.simulation [--seeds N --from S ...].

Prints one line (with --json one document). Exit code 1: something differed, or a mutation was not
seen (with --mutation: nothing differed). From a thousand simulations on, all mutations are tried.
"""

import argparse
import json
import sys
import time
from typing import Any

from tests.simulation.mutations import MUTATIONS
from tests.simulation.run import Report, many, seen, some

MANY = 1_000
WITHIN = 100
"""Simulations within which every mutation must show."""


def main() -> int:
    """Run and report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many simulations")
    parser.add_argument("--from", type=int, default=0, dest="start", help="number of the first")
    parser.add_argument("--processes", type=int, help="default: one a core")
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), help="break one rule first")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    asked = parser.parse_args()
    began, numbers = time.monotonic(), range(asked.start, asked.start + asked.seeds)
    mutations: dict[str, bool] = {}
    if asked.mutation:
        report = some(numbers, asked.mutation, first=True)
    else:
        report = Report.empty()
        for report in many(numbers, asked.processes):
            if not report.seeds % 500:
                print(f"{report.seeds} simulated, {len(report.failures)} failed", file=sys.stderr)  # noqa: T201 - a program
        if asked.seeds >= MANY:
            mutations = seen(WITHIN, asked.processes)
    document = {
        "from": asked.start,
        "seeds": report.seeds,
        "mutation": asked.mutation,
        "failures": {seed: str(found)[:2_000] for seed, found in report.failures.items()},
        "mutations": mutations,
        "crashes": dict(sorted(report.crashes.items())),
        "raw_duplicates": report.repeated,
        "seconds": round(time.monotonic() - began, 1),
    }
    for seed, found in report.failures.items():
        print(f"{seed}: {str(found)[:2_000]}", file=sys.stderr)  # noqa: T201 - a program
    print(json.dumps(document) if asked.json else line(document))  # noqa: T201 - a program
    return int(bool(report.failures) != bool(asked.mutation) or not all(mutations.values()))


def line(document: dict[str, Any]) -> str:
    """What a run came to, in one line: the first number that failed repeats it."""
    said = f"{document['seeds']} simulated in {document['seconds']} s"
    failures, mutations = list(document["failures"]), document["mutations"]
    if failures:
        said += f", {len(failures)} failed: --from {failures[0]} --seeds 1 repeats the first"
    else:
        said += ", none failed"
    if mutations:
        missed = [name for name, shown in mutations.items() if not shown]
        said += f"; {len(mutations) - len(missed)} of {len(mutations)} mutations seen"
        said += f", not {', '.join(missed)}" if missed else ""
    return said


if __name__ == "__main__":
    sys.exit(main())
