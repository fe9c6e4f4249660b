"""Crowd: panes with more versions than are judged at a time.

All of them are counted; the reading `operational:versions` of every such pane says that not all
are judged, because silence about a version would look like health.
Promises: a function of the pane alone; readings only, they page nobody and spend nothing.
Leaves to others: which versions give way (`lane`, `roster`).
"""

from typing import Final

from schemas.finding import Finding
from schemas.grid import WHOLE
from streams.monitor.declared.operations import rows_of
from streams.monitor.lane import MAX_VERSIONS
from streams.monitor.outcomes.telling import Teller
from streams.monitor.watch import Closing, Setting

SIGNAL: Final = "operational:versions"


class Crowd:
    """The versions of one model in a pane."""

    def __init__(self, setting: Setting) -> None:
        """There is no state."""
        self._model, self._layout = setting.judging.model, setting.layout

    def close(self, closing: Closing) -> list[Finding]:
        """One reading of a pane in which some version is not judged; `rows` are all of the pane."""
        whole = [one for one in closing.predictions if one.segment == WHOLE and not one.late]
        versions = len({one.version for one in whole})
        if versions <= MAX_VERSIONS:
            return []
        teller = Teller(
            model=self._model,
            version="",
            segment=WHOLE,
            span=closing.span,
            reference_id=closing.reference_id,
            reference_rows=0,
        )
        rows = sum(rows_of(self._layout, one.vector) for one in whole)
        most = float(MAX_VERSIONS)
        said = teller.tell(
            SIGNAL, "limit", statistic=float(versions), threshold=most, rows=rows, breach=True
        )
        return [said]

    def save(self) -> bytes:
        """Nothing outlives a pane."""
        return b""

    def load(self, saved: bytes) -> None:
        """Nothing to take up."""
