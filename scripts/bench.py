"""Measures the machines on the employment stream, everything on, each round in a new process.

Prints one JSON document (`--json`) or a table. An event is one record: a prediction or a label.
What is not measured yet has no key.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EMPLOYMENT = ROOT / "examples" / "employment"
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def replay_once() -> dict[str, float]:
    """One replay of the employment stream: files, both machines, policy, outputs."""
    sys.path.insert(0, str(ROOT))
    from schemas.config import Config  # noqa: PLC0415 - counted in no figure
    from schemas.load import load  # noqa: PLC0415
    from streams.runtime.mapping import Columns  # noqa: PLC0415
    from streams.runtime.recording import Recording  # noqa: PLC0415
    from streams.runtime.reference import build_reference  # noqa: PLC0415
    from streams.runtime.replay import Replay  # noqa: PLC0415
    from streams.runtime.roles import MonitorRole, ProfilerRole, counting  # noqa: PLC0415

    config: Config = load(
        str(EMPLOYMENT / "windage.yaml"), {}, lambda path: Path(path).read_bytes()
    )
    model = config.models["employment"]
    features = tuple(model.features) if not isinstance(model.features, str) else ()
    columns = Columns(
        id="id",
        prediction="prediction",
        score="predicted_probability",
        label="employed",
        every=450_000,
        features=features,
    )
    baseline = build_reference(
        "employment",
        model,
        counting("employment", model, config),
        EMPLOYMENT / "nannyml_employment_ma_reference.csv.gz",
        columns,
    )
    known = {"employment": baseline}
    monitor = Timed(MonitorRole(config, known))
    replay = Replay(ProfilerRole(config, known), monitor)
    recording = Recording(
        EMPLOYMENT / "nannyml_employment_ma_analysis.csv.gz",
        model="employment",
        columns=columns,
        labels=EMPLOYMENT / "nannyml_employment_ma_analysis_target.csv.gz",
        label_delay=2000 * 450_000,
    )
    began, wall = time.process_time(), time.perf_counter()
    for _ in replay.run(recording.chunks(), ["employment"]):
        pass
    cpu, wall = time.process_time() - began, time.perf_counter() - wall
    accounting = replay.profilers[0].accounting()
    events = accounting["predictions"].counted + accounting["labels"].counted
    panes = events / 2 / 500
    return {
        "events": events,
        "cpu_s": cpu,
        "wall_s": wall,
        "monitor_us_per_pane": monitor.seconds / panes * 1e6,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


class Timed:
    """A role whose machines add up the CPU time of their steps."""

    def __init__(self, role: object) -> None:
        """Measure the machines of `role`."""
        self._role = role
        self.seconds = 0.0

    def __getattr__(self, name: str) -> object:
        """Whatever else the role has."""
        return getattr(self._role, name)

    def fresh(self, partition: int, partitions: int) -> object:
        """A machine whose `step` is timed."""
        machine = self._role.fresh(partition, partitions)
        step = machine.step

        def timed(log: str, records: object) -> None:
            began = time.process_time()
            step(log, records)
            self.seconds += time.process_time() - began

        machine.step = timed
        return machine


def main() -> None:
    """Run the rounds and print their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--rounds", type=int, default=3, help="processes to run, one by one")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(replay_once()))
        return
    rounds = []
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
        command = [sys.executable, __file__, "--once"]
        done = subprocess.run(
            command, check=True, capture_output=True, env={**os.environ, **ONE_CORE}
        )
        rounds.append(json.loads(done.stdout))

    def median(key: str) -> float:
        return statistics.median(one[key] for one in rounds)

    cpu = median("cpu_s") / rounds[0]["events"]
    report = {
        "replay": {
            "windage_us": round(cpu * 1e6, 3),
            "events_per_s": round(1 / cpu),
            "events_per_s_wall": round(rounds[0]["events"] / median("wall_s")),
        },
        "monitor_us_per_pane": round(median("monitor_us_per_pane"), 1),
        "peak_rss_mb": round(median("peak_rss_mb"), 1),
        "machine": ", ".join(
            [platform.machine(), f"{os.cpu_count()} cores", f"Python {platform.python_version()}"]
        ),
    }
    print(json.dumps(report) if arguments.json else json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
