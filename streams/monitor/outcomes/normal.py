"""Normal: the outcomes of the reference, whole, for metrics to be compared with.

Promises: those of the file, or of the same panes that the outcomes' lane builds its reference
of; while it is built anew the former one stays in force.
Leaves to others: when a reference is built (`lane`), which rows it is of.
"""

import msgspec

from detectors.metrics.interval import Interval
from schemas.baseline import Baseline
from schemas.grid import WHOLE
from schemas.journal import Counts, Sparse
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.estimate import Estimator
from streams.monitor.watch import Closing


class SavedNormal(msgspec.Struct, frozen=True, array_like=True):
    """The reference's outcomes in a snapshot, by segment."""

    standing: dict[str, Sparse]
    growing: dict[str, Sparse]
    dispersion: float
    reference_id: str


class Normal:
    """What the reference's outcomes were, by segment."""

    def __init__(self, blocks: Blocks, baseline: Baseline) -> None:
        """`baseline` may know them already."""
        self._blocks = blocks
        self._width = blocks.layout.width("outcomes")
        self._standing: dict[str, Counts] = {
            segment: vector.full(self._width) for segment, vector in baseline.outcomes.items()
        }
        self._growing: dict[str, Counts] = {}
        errors = baseline.normals.get(WHOLE, {}).get("error")
        self.dispersion = max((1.0, *errors.dispersion)) if errors is not None else 1.0
        self.reference_id = baseline.id
        self._worked_out()

    def close(self, closing: Closing) -> bool:
        """Follow the lane: gather while it builds, take over when it is done; True if it has."""
        if "outcomes" in closing.building:
            for part in closing.outcomes:
                self._growing[part.segment] = self._growing.get(part.segment, 0) + part.vector
            return False
        error = next((f for f in closing.findings if f.signal == "error"), None)
        grown = bool(self._growing)
        if grown:
            self._standing, self._growing = self._growing, {}
            if error is not None:
                self.dispersion = max(1.0, error.dispersion)
            self._worked_out()
        if error is not None:
            self.reference_id = error.reference_id
        return grown

    def rebuild(self) -> None:
        """Gather anew; what stands goes on until the new one does."""
        self._growing = {}

    def counts(self, segment: str = WHOLE) -> Counts | None:
        """The outcomes of a segment (compact)."""
        whole = self._standing.get(segment)
        return None if whole is None else self._blocks.compact(whole)

    def whole(self, segment: str) -> Counts | None:
        """The outcomes of a segment, error slices too."""
        return self._standing.get(segment)

    def metrics(self, segment: str = WHOLE) -> dict[str, Interval]:
        """The metrics of a segment in the reference."""
        if segment not in self._metrics:
            counts = self.counts(segment)
            self._metrics[segment] = {} if counts is None else self._blocks.metrics(counts)
        return self._metrics[segment]

    @property
    def rows(self) -> int:
        """Outcomes in the reference."""
        return self._rows

    def _worked_out(self) -> None:
        self._metrics: dict[str, dict[str, Interval]] = {}
        whole = self.counts()
        self._rows = 0 if whole is None else self._blocks.rows(whole)
        self.estimator: Estimator | None = None
        if whole is not None and self._blocks.layout.residuals is None:
            estimator = Estimator(self._blocks, whole, self.dispersion)
            self.estimator = estimator or None

    def save(self) -> SavedNormal:
        """The state, for a snapshot."""
        standing, growing = (
            {segment: Sparse.pack(vector) for segment, vector in sorted(held.items())}
            for held in (self._standing, self._growing)
        )
        return SavedNormal(standing, growing, self.dispersion, self.reference_id)

    def load(self, saved: SavedNormal) -> None:
        """Take a snapshot up."""
        width = self._width
        self._standing = {name: one.full(width) for name, one in saved.standing.items()}
        self._growing = {name: one.full(width) for name, one in saved.growing.items()}
        self.dispersion, self.reference_id = saved.dispersion, saved.reference_id
        self._worked_out()
