"""Measures how fast Windage is on this computer; one JSON document (`--json`: on one line).

Keys: `kafka_json` and `arrow` (the profiler process against the naive detector on one broker, see
`speed/kafka_sides.py`), `embedded` and `latency_ms` (`speed/embedded.py`, on a broker
`speed/kafka_latency.py`), `replay`, `monitor_us_per_pane`, `pending_bytes` (of one prediction that
waits for its label), `peak_rss_mb` and `longest_step_ms` (of a profiler with a million that wait,
`speed/pending.py`) and `machine`. What cannot be measured here has no key, and stderr says why.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts" / "speed"), str(ROOT)]
PARTS = ("kafka_json", "arrow", "embedded", "latency_ms", "replay", "pending")


def replayed(rounds: int) -> dict[str, Any]:
    """The keys of the replay."""
    import replay  # noqa: PLC0415 - parts that are not asked for need not be installed

    found = replay.measure(rounds)
    cpu = found["cpu_s"] / found["events"]
    return {
        "replay": {
            "windage_us": round(cpu * 1e6, 3),
            "events_per_s": round(1 / cpu),
            "events_per_s_wall": round(found["events"] / found["wall_s"]),
        },
        "monitor_us_per_pane": round(found["monitor_us_per_pane"], 1),
    }


def on_kafka(form: str) -> dict[str, Any]:
    """The figures of one form of intake; empty where no broker can be started."""
    import kafka_sides  # noqa: PLC0415 - as above
    from broker import NoBrokerError  # noqa: PLC0415

    try:
        with tempfile.TemporaryDirectory() as folder:
            return kafka_sides.measure(form, Path(folder))
    except NoBrokerError as error:
        print(f"bench: no figures of {form} on Kafka: {error}", file=sys.stderr)
        return {}


def latencies() -> dict[str, Any]:
    """How soon is said what changed: embedded, and under `kafka` on a broker where there is one."""
    import embedded  # noqa: PLC0415 - as above
    import kafka_latency  # noqa: PLC0415
    from broker import NoBrokerError  # noqa: PLC0415

    found: dict[str, Any] = embedded.latency()
    try:
        found["kafka"] = kafka_latency.latency()
    except NoBrokerError as error:
        print(f"bench: no latency on Kafka: {error}", file=sys.stderr)
    return found


def main() -> None:
    """Run the parts and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on one line")
    parser.add_argument("--rounds", type=int, default=3, help="replays, of which the median counts")
    parser.add_argument("--only", choices=PARTS, action="append", help="run these parts alone")
    arguments = parser.parse_args()
    report: dict[str, Any] = {}
    for part in arguments.only or PARTS:
        print(f"bench: {part}", file=sys.stderr)
        if part == "replay":
            report |= replayed(arguments.rounds)
        elif part == "pending":
            import pending  # noqa: PLC0415 - as above

            report |= pending.measure()
        elif part == "embedded":
            import embedded  # noqa: PLC0415 - as above

            report[part] = embedded.events()
        elif part == "latency_ms":
            report[part] = latencies()
        else:
            found = on_kafka("json" if part == "kafka_json" else "arrow")
            if found:
                report[part] = found
    report["machine"] = ", ".join(
        [platform.machine(), f"{os.cpu_count()} cores", f"Python {platform.python_version()}"]
    )
    print(json.dumps(report) if arguments.json else json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
