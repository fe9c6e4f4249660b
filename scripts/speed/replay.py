"""Replay of the employment stream: files, both machines, policy, outputs, in a new process.

An event is one record: a prediction or a label.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EMPLOYMENT = ROOT / "examples" / "employment"
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def replay_once() -> dict[str, float]:
    """One replay of the employment stream: files, both machines, policy, outputs."""
    sys.path.insert(0, str(ROOT))
    from schemas.config import Config  # noqa: PLC0415 - counted in no figure
    from schemas.load import load  # noqa: PLC0415
    from streams.runtime.recordings.mapping import Columns  # noqa: PLC0415
    from streams.runtime.recordings.recording import Recording  # noqa: PLC0415
    from streams.runtime.recordings.reference import build_reference  # noqa: PLC0415
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


def measure(rounds: int) -> dict[str, float]:
    """Medians of so many processes, one after the other."""
    found = []
    for _ in range(rounds):
        command = [sys.executable, __file__]
        done = subprocess.run(
            command, check=True, capture_output=True, env={**os.environ, **ONE_CORE}
        )
        found.append(json.loads(done.stdout))
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


if __name__ == "__main__":
    print(json.dumps(replay_once()))
