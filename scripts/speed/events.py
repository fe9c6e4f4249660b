# ruff: noqa: ANN401 - Faust, aiokafka and pyarrow publish no types
"""What the benches read: events of one model with ten numeric features, the same on every side.

An event is one record: a prediction of 430 bytes of JSON, or a label; one label per five
predictions, each behind its prediction. Three values of one tag make three segments.
"""

import random
import time
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

MODEL = "bench"
VERSION = "3.2.17"
FEATURES = 10
NAMES = tuple(f"feature_{i}" for i in range(FEATURES))
REGIONS = ("eu", "us", "asia")
EVERY = 5
"""Predictions per label."""
CHUNK = 2_500
"""Rows of an Arrow record: 446 KB, where the client library's records have up to 512."""
_EDGES = 65

_PREDICTION = (
    '{"model":"bench","version":"%s","prediction_id":"%s","timestamp":"%s","features":{'
    + ",".join(f'"{name}":%.6f' for name in NAMES)
    + '},"prediction":%d,"score":%.4f,"tags":{"region":"%s"},"latency_ms":%.1f}'
)
_LABEL = '{"model":"bench","prediction_id":"%s","label":%d,"timestamp":"%s"}'


class Chunk(NamedTuple):
    """Predictions of one moment as columns (n,), and the labels of every fifth of them."""

    ids: list[str]
    times: list[str]
    features: Any
    predictions: list[int]
    scores: list[float]
    regions: list[str]
    latencies: list[float]
    labels: list[int]
    moment: Any

    def predictions_json(self) -> list[bytes]:
        """One record a prediction."""
        rows = self.features.tolist()
        cells = zip(self.predictions, self.scores, self.regions, self.latencies, strict=True)
        heads = zip(self.ids, self.times, rows, cells, strict=True)
        return [(_PREDICTION % (VERSION, i, t, *row, *rest)).encode() for i, t, row, rest in heads]

    def labels_json(self) -> list[bytes]:
        """One record a label."""
        cells = zip(self.ids[::EVERY], self.labels, self.times[::EVERY], strict=True)
        return [(_LABEL % cell).encode() for cell in cells]

    def predictions_arrow(self) -> bytes:
        """All predictions in one Arrow IPC stream."""
        import pyarrow as pa  # noqa: PLC0415 - an optional library

        features = [pa.array(column) for column in self.features.T]
        columns = {
            "model": pa.array([MODEL] * len(self.ids)),
            "version": pa.array([VERSION] * len(self.ids)),
            "prediction_id": pa.array(self.ids),
            "timestamp": pa.array(np.array([t[:-1] for t in self.times], "datetime64[ms]")),
            "features": pa.StructArray.from_arrays(features, list(NAMES)),
            "prediction": pa.array(self.predictions),
            "score": pa.array(self.scores),
            "tags": pa.StructArray.from_arrays([pa.array(self.regions)], ["region"]),
            "latency_ms": pa.array(self.latencies),
        }
        return _stream(pa.table(columns))

    def labels_arrow(self) -> bytes:
        """All labels in one Arrow IPC stream."""
        import pyarrow as pa  # noqa: PLC0415

        times = [t[:-1] for t in self.times[::EVERY]]
        columns = {
            "model": pa.array([MODEL] * len(self.labels)),
            "prediction_id": pa.array(self.ids[::EVERY]),
            "label": pa.array(self.labels),
            "timestamp": pa.array(np.array(times, "datetime64[ms]")),
        }
        return _stream(pa.table(columns))


def chunks(predictions: int, seed: int = 1, rows: int = CHUNK) -> Iterator[Chunk]:
    """Chunks of `rows` predictions that happen now."""
    r, rng = random.Random(seed), np.random.default_rng(seed)
    for begin in range(0, predictions, rows):
        n = min(rows, predictions - begin)
        now = np.datetime64(int(time.time() * 1000), "ms")
        yield Chunk(
            ids=[str(uuid.UUID(int=r.getrandbits(128))) for _ in range(n)],
            times=[f"{now}Z"] * n,
            features=rng.normal(size=(n, FEATURES)).round(6),
            predictions=rng.integers(0, 2, n).tolist(),
            scores=rng.random(n).round(4).tolist(),
            regions=[REGIONS[i] for i in rng.integers(0, 3, n)],
            latencies=rng.gamma(4, 5, n).round(1).tolist(),
            labels=rng.integers(0, 2, len(range(0, n, EVERY))).tolist(),
            moment=now,
        )


def reference(counted: str) -> bytes:
    """The grid of the model, as a reference file that judges nothing.

    `counted` is the hash of the config it was made with.
    """
    from schemas.baseline import Baseline, encode  # noqa: PLC0415 - not on the naive side
    from schemas.grid import Grid, SegmentGrid, SignalGrid  # noqa: PLC0415

    edges = tuple(np.linspace(-3, 3, _EDGES).tolist())
    unit = tuple(np.linspace(0, 1, _EDGES).tolist())
    grid = Grid(
        model=MODEL,
        task="binary",
        features=tuple(SignalGrid(name=n, type="numeric", edges=edges) for n in NAMES),
        score=SignalGrid(name="score", type="numeric", edges=unit, center=0.5),
        target=SignalGrid(name="target", type="categorical", categories=("0", "1")),
        positive="1",
        segments=(SegmentGrid(name="region", source="tag", values=REGIONS),),
        counted=counted,
    )
    return encode(Baseline(model=MODEL, grid=grid, source="bench", normals={}))


def _stream(table: Any) -> bytes:
    import pyarrow as pa  # noqa: PLC0415

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
