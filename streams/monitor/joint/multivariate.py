"""Multivariate: whether features still go together as they did (`detector: pca`).

What is declared so is counted as sums of products, and judged against a reference of its own, made
of the panes that the other references are made of: one e-detector a monitor and version, with the
run length of every other signal.

Promises: a function of the closes alone; late rows count nowhere; nothing is learned from panes
that are excepted; state is bounded; without such a monitor it does nothing.
Leaves to others: what is counted (`profiler/products`), the mathematics (`detectors.components`,
`detectors.together`), what a finding says in words (`companions`).
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from detectors.components import Components, Standard, View, components_of
from detectors.together import Kind, Together, TogetherState
from schemas.config_monitor import PCA, together
from schemas.finding import Finding, JudgedState, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts, Sparse
from schemas.log import Millis
from streams.monitor.declared.declaration import panes_of
from streams.monitor.joint.companions import Companions
from streams.monitor.joint.stretches import SavedStretches, Stretches
from streams.monitor.roster import Roster
from streams.monitor.watch import Closing, Part, Setting

ALL = ""
"""Whose reference it is that is not one version's own."""


class Place(NamedTuple):
    """Which monitor (what it watches), and whose: a version's, or of `ALL`."""

    watch: str
    version: str


class Judge:
    """The detector of one place, and the panes of its window.

    `kind`: the evidence that led when the alarm began; what is named stays while it lasts.
    """

    def __init__(self, standard: Standard, tolerance: float, panes: int) -> None:
        """Against a reference."""
        self.detector = Together(Components(standard), tolerance)
        self.window: deque[tuple[int, Counts]] = deque(maxlen=panes)
        self.kind: Kind | None = None

    def take(self, pane: int, vector: Counts) -> None:
        """Weigh the sums of a pane with complete rows."""
        view = self.detector.components.view(vector)
        assert view is not None, "a pane without a complete row is not judged"
        self.detector.update(view, pane)
        self.window.append((pane, vector))

    def recent(self, since: int | None) -> tuple[int, View]:
        """The first pane of the window (from pane `since` on), and all of it together."""
        own = [one for one in self.window if since is None or one[0] >= since]
        view = self.detector.components.view(np.sum([vector for _, vector in own], axis=0))
        assert view is not None, "the newest pane has rows, and is no older than any change"
        return own[0][0], view


class SavedMultivariate(msgspec.Struct, frozen=True, kw_only=True):
    """The watch in a snapshot."""

    standards: list[tuple[Place, Standard]]
    growing: list[tuple[Place, SavedStretches, int]]
    judges: list[tuple[Place, TogetherState, list[tuple[int, Sparse]], Kind | None]]
    versions: dict[str, int]
    monitors: dict[str, str]


class Multivariate:
    """The monitors of one model that watch features together."""

    def __init__(self, setting: Setting) -> None:
        """Without any declared it does nothing."""
        self._setting, self._layout = setting, setting.layout
        self._monitors = {one.watch: one for one in together(setting.config.monitors)}
        self._standards: dict[Place, Standard] = {
            Place(name, ALL): standard
            for name, standard in setting.baseline.together.items()
            if name in self._monitors
        }
        self._growing: dict[Place, tuple[Stretches, int]] = {}
        self._judges: dict[Place, Judge] = {}
        self._versions = Roster()

    # -- closing -----------------------------------------------------------------------------------

    def close(self, closing: Closing) -> list[Finding]:
        """Judge a pane by every monitor."""
        if not self._monitors:
            return []
        parts = [part for part in closing.products if not part.late]
        kept = [part for part in parts if self._is_kept(part.version, closing.pane)]
        return [
            finding
            for name in sorted(self._monitors)
            for finding in self._monitor(name, kept, closing)
        ]

    def _is_kept(self, version: str, pane: int) -> bool:
        """Whether a version is judged; what was measured of one that gives way is forgotten."""
        kept, gone = self._versions.admit(version, pane)
        if gone is not None:
            self._forget(gone)
        return kept

    def _forget(self, version: str) -> None:
        """Nothing is known of a version."""
        self._drop(lambda place: place.version == version)

    def _drop(self, gone: Callable[[Place], bool]) -> None:
        self._standards = {p: one for p, one in self._standards.items() if not gone(p)}
        self._growing = {p: one for p, one in self._growing.items() if not gone(p)}
        self._judges = {p: one for p, one in self._judges.items() if not gone(p)}

    def _monitor(self, name: str, parts: list[Part], closing: Closing) -> Iterator[Finding]:
        """The findings of one monitor; first what its references learn of the pane."""
        if name not in self._layout.products:
            # Of the features that it names, the rows had fewer than two that are numeric.
            if closing.predictions:
                yield self._plain(name, closing, "", "schema_mismatch")
            return
        span = self._layout.products[name].span
        sums = {part.version: part.vector[span] for part in parts}
        whole = Place(name, ALL)
        if "predictions" in closing.building and whole not in self._growing:
            self._drop(lambda place: place.watch == name)
        if whole not in self._standards and whole not in self._growing:
            self._growing[whole] = Stretches(), 0
        learning = self._learn(name, sums, closing)
        for version, vector in sums.items():
            if version in learning:
                yield self._plain(name, closing, version, "warming_up")
            elif not vector[0]:
                yield self._plain(name, closing, version, "too_few_rows")
            else:
                yield self._judged(name, version, vector, closing)

    def _learn(self, name: str, sums: dict[str, Counts], closing: Closing) -> set[str]:
        """Add a pane to what grows; gives the versions that are not judged meanwhile."""
        out: set[str] = set()
        for version, vector in sums.items():
            place = next(
                (p for p in (Place(name, ALL), Place(name, version)) if p in self._growing), None
            )
            if place is None:
                continue
            out.add(version)
            stretches, since = self._growing[place]
            if vector[0] and closing.pane >= since and not closing.excepted:
                stretches.add(closing.pane, vector)
        for place in [one for one in self._growing if one.watch == name]:
            if place.version == ALL and "predictions" in closing.building:
                continue
            self._settle(place)
        return out

    def _settle(self, place: Place) -> None:
        """What has grown enough is in force from the next pane on."""
        found = components_of(
            self._growing[place][0].sums, self._layout.together[place.watch].columns
        )
        if found is not None:
            del self._growing[place]
            self._standards[place] = found

    def _judged(self, name: str, version: str, vector: Counts, closing: Closing) -> Finding:
        place = Place(name, version)
        judge = self._judges.get(place)
        if judge is None:
            judge = self._judges[place] = self._fresh(place)
        judge.take(closing.pane, vector)
        evidence, threshold = judge.detector.log_mean, self._setting.threshold
        alarm, (kind, since) = evidence >= threshold, judge.detector.leading
        kind = (judge.kind or kind) if alarm else kind
        judge.kind = kind if alarm else None
        begin, window = judge.recent(since if alarm else None)
        companions = Companions(self._names(name), judge.detector, window, kind)
        # A window since the change may be a few panes, one of the usual length mostly from before.
        inside = judge.detector.inside(window) and judge.detector.inside(judge.recent(None)[1])
        pane = self._setting.judging.pane
        return replace(
            self._plain(name, closing, version, "judged"),
            alarm=alarm,
            joins=alarm and not inside,
            inside=inside,
            statistic=evidence,
            threshold=threshold,
            effect=Measured(
                size=companions.size,
                mean_shift_sd=judge.detector.distance(window),
                spread_ratio=window.error_ratio,
            ),
            direction=companions.what,
            cells=companions.cells,
            change_point=since * pane if alarm else None,
            window_start=begin * pane,
            rows=window.rows,
            reference_rows=judge.detector.components.standard.rows,
            dispersion=float(judge.detector.components.dispersion.mean()),
        )

    def _plain(self, name: str, closing: Closing, version: str, state: JudgedState) -> Finding:
        """What any finding says, and all that is said where nothing is judged."""
        return Finding(
            model=self._setting.judging.model,
            version=version,
            segment=WHOLE,
            signal=name,
            detector=PCA,
            state=state,
            alarm=False,
            joins=False,
            inside=True,
            symptom="shift",
            statistic=None,
            threshold=None,
            effect=Measured(),
            window_start=closing.span[0],
            window_end=closing.span[1],
            rows=0,
            reference_id=closing.reference_id,
            reference_rows=0,
        )

    def _names(self, name: str) -> tuple[str, ...]:
        """The features of a monitor, in the order of their sums."""
        return next(one.features for one in self._layout.grid.together if one.name == name)

    def _fresh(self, place: Place) -> Judge:
        """A detector against the version's own reference, or that of all."""
        own = self._standards.get(place) or self._standards[Place(place.watch, ALL)]
        monitor, judging = self._monitors[place.watch], self._setting.judging
        tolerance = judging.tolerance if monitor.tolerance is None else monitor.tolerance
        return Judge(own, tolerance, panes_of(monitor, judging.pane))

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin one detector anew; its window goes on."""
        judge = self._judges.get(Place(signal, version)) if segment == WHOLE else None
        if judge is not None:
            fresh = self._fresh(Place(signal, version))
            fresh.window = judge.window
            self._judges[Place(signal, version)] = fresh

    def rebuild(self, version: str | None, since: Millis) -> None:
        """A new normal of one version; that of all begins with `building`."""
        if version is None:
            return
        for name in self._monitors:
            place = Place(name, version)
            if Place(name, ALL) not in self._growing and version in self._versions:
                self._growing[place] = Stretches(), since // self._setting.judging.pane
                self._standards.pop(place, None)
                self._judges.pop(place, None)

    # -- snapshots ---------------------------------------------------------------------------------

    def save(self) -> bytes:
        """The state, for a snapshot."""
        saved = SavedMultivariate(
            standards=sorted(self._standards.items(), key=lambda item: item[0]),
            growing=[
                (place, one.save(), since) for place, (one, since) in sorted(self._growing.items())
            ],
            judges=[
                (
                    place,
                    one.detector.state(),
                    [(at, Sparse.pack(vector)) for at, vector in one.window],
                    one.kind,
                )
                for place, one in sorted(self._judges.items(), key=lambda item: item[0])
            ],
            versions=self._versions.save(),
            monitors={name: one.model_dump_json() for name, one in sorted(self._monitors.items())},
        )
        return msgspec.msgpack.encode(saved)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up; under another tolerance the evidence begins anew."""
        state = msgspec.msgpack.decode(saved, type=SavedMultivariate)
        self._standards = {p: one for p, one in state.standards if p.watch in self._monitors}
        self._versions.load(state.versions)
        for place, growing, since in state.growing:
            if place.watch in self._layout.together:
                stretches = self._growing.setdefault(place, (Stretches(), since))[0]
                stretches.load(growing, self._layout.together[place.watch].width)
        for place, detector, window, kind in state.judges:
            known = self._monitors.get(place.watch)
            if known is None or place.watch not in self._layout.together:
                continue
            judge = self._judges[place] = self._fresh(place)
            width = self._layout.together[place.watch].width
            judge.window.extend((at, one.full(width)) for at, one in window)
            if known.model_dump_json() == state.monitors[place.watch]:
                judge.detector.load(detector)
                judge.kind = kind
