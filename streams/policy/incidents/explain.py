"""Sentences: what moved, from where to where, over how many rows, and how bad that is.

Promises: one English sentence per finding with its numbers; names of cells are printable and
short. Leaves to others: who reads it.
"""

from typing import Final

from schemas.config_monitor import PCA
from schemas.durations import show_duration
from schemas.finding import Cell, Finding
from schemas.vocabulary import Breadth, Severity
from streams.policy.family import SWINGS
from streams.policy.incidents import joint
from streams.policy.severity import Limits, fall_of

_CODES: Final = 3
"""Codes of refused records that a sentence names."""

MAX_NAME: Final = 40
"""Characters of a cell's name in a sentence."""
_KEPT: Final = {
    "error": "accuracy",
    "error:false_positive": "specificity",
    "error:false_negative": "recall",
}
"""What an error rate leaves, and is read as (`severity.fall_of`)."""
_NAMES: Final = {
    "score": "the score",
    "prediction": "the prediction",
    "label": "the label",
    "error": "the error rate",
    "error|score": "the error rate by score",
    "error:false_positive": "the false positive rate",
    "error:false_negative": "the false negative rate",
    "gain": "the share of right predictions",
    "calibration": "the calibration",
    "volume": "the volume",
    "input_quality": "the input",
    "feature_set": "the feature set",
    "features": "the features together",
    SWINGS: "the spread of performance over panes",
    "canary:error": "the canary's error rate",
    "canary:failed": "the canary's failure rate",
    "canary:slow": "the canary's rate of slow answers",
    "canary:estimate": "the canary's estimated error rate",
}
_CANARY: Final = "canary:"
_SPREAD: Final = "metric:spread:"
_BREADTHS: Final[dict[Breadth, str]] = {
    "uniform": "uniform over all segments",
    "localised": "localised in some segments",
}


def subject(signal: str) -> str:
    """A signal's name in a sentence: `feature RELP`, `the error rate`, `accuracy`."""
    if signal in _NAMES:
        return _NAMES[signal]
    kind, _, name = signal.partition(":")
    if not name:
        return signal
    if signal.startswith(_SPREAD):
        return f"the spread of performance over {signal.removeprefix(_SPREAD)}"
    if signal.startswith(_CANARY):
        return f"the canary's {name.removeprefix('metric:')}"
    return name if kind in ("metric", "kpi", "operational") else f"{kind} {name}"


def place(model: str, version: str, segment: str) -> str:
    """Where: `fraud 1` or `fraud 1, SEX=2`."""
    where = f"{model} {version}".strip()
    return where if segment == "*" else f"{where}, {segment}"


def sentence(finding: Finding, severity: Severity | None, limits: Limits) -> str:
    """The whole sentence of a finding."""
    where = place(finding.model, finding.version, finding.segment)
    if finding.symptom == "silence":
        wait = show_duration(finding.window_end - finding.window_start)
        return (
            f"no prediction of {where} for {wait}" if finding.alarm else f"{where} is heard again"
        )
    if finding.symptom == "refused":
        return _refused(finding, where)
    if finding.symptom == "replaced":
        share = f"{_percent(finding.statistic or 0.0)} of {finding.rows:,} rows"
        if not finding.alarm:
            return f"no row of {where} is made with a feature set that is new to it"
        return f"{share} of {where} are made with a feature set that is new to it, undeployed"
    said = [extent(finding, severity, limits)]
    if finding.breadth is not None:
        said.append(_BREADTHS[finding.breadth])
    return (
        f"{subject(finding.signal)} in {where}: {movement(finding)} over {finding.rows:,} rows"
        f" ({'; '.join(said)})"
    )


def movement(finding: Finding) -> str:
    """What moved: the leading cells, or the value itself."""
    effect = finding.effect
    if finding.signal.startswith((_SPREAD, SWINGS)) and finding.cells:
        median = next((_percent(c.current) for c in finding.cells if c.name == "p50"), "")
        whose = "panes" if finding.signal == SWINGS else "parts"
        held = f" while the median of the {whose} holds at {median}" if median else ""
        return _cells(leading(finding.cells)) + held
    if effect.current is not None and effect.baseline is not None:
        canary = finding.signal.startswith(_CANARY)
        rate = finding.signal.startswith(("error", "gain")) or "rate" in finding.signal
        rate |= canary and finding.signal in _NAMES
        then, now = (_percent, _percent) if rate else (_figure, _figure)
        if canary:
            beside = f"{then(effect.baseline)} of version {finding.reference_id}"
            return f"{now(effect.current)} beside {beside}"
        return f"{_verb(effect.baseline, effect.current)} from {then(effect.baseline)} to " + now(
            effect.current
        )
    if finding.detector == PCA:
        return joint.movement(finding)
    cells = leading(finding.cells)
    if cells:
        return _cells(cells)
    if finding.symptom == "constant":
        return "became constant"
    if effect.mean_shift_sd is not None:
        return f"its mean moved by {effect.mean_shift_sd:+.2f} standard deviations"
    return "moved" if not finding.direction else f"moved {finding.direction}"


def concentration(finding: Finding) -> str:
    """Which values the errors concentrate in, by the share of the errors beyond the reference."""
    named = [
        f"{printable(one.feature)} {printable(one.value)} (from {_percent(one.reference)} to"
        f" {_percent(one.current)}, {_percent(one.excess)} of the excess)"
        for one in finding.slices[:3]
    ]
    return "errors concentrate in " + ", ".join(named)


def _refused(finding: Finding, where: str) -> str:
    """How many records were refused, for which reasons, beside how many may be."""
    codes = [f"{one.name} {_percent(one.current)}" for one in finding.cells[:_CODES]]
    reasons = f": {', '.join(codes)}" if codes else ""
    share, most = finding.statistic or 0.0, finding.threshold or 0.0
    return (
        f"{_percent(share)} of {finding.rows:,} records of {where} refused{reasons}"
        f" ({_percent(most)} may be)"
    )


def remedy(finding: Finding) -> str:
    """How to look at what was refused, and to send it again."""
    code = finding.cells[0].name if finding.cells else ""
    chosen = f" --code {code}" if code else ""
    return (
        f"`windage dead-letters show{chosen}` shows them;"
        f" `windage dead-letters replay{chosen}` sends them again after the fix"
    )


def leading(cells: tuple[Cell, ...], most: int = 2) -> list[Cell]:
    """The cells whose shares changed most, largest first."""
    moved = [cell for cell in cells if cell.current != cell.reference]
    return sorted(moved, key=lambda c: (-abs(c.current - c.reference), c.name))[:most]


def extent(finding: Finding, severity: Severity | None, limits: Limits) -> str:
    """How much, beside the limit it is measured by."""
    effect = finding.effect
    fall = fall_of(finding)
    if fall is not None:
        if finding.signal.startswith(_CANARY):
            return f"{_percent(abs(fall))} worse, red from {100 * limits.fall_red:g} %"
        side = "below" if fall >= 0 else "above"
        whose = _KEPT.get(finding.signal, "")
        said = f"{whose} {_percent(abs(fall))} {side} its baseline"
        return f"{said.strip()}, red from {100 * limits.fall_red:g} %"
    if effect.psi is not None:
        return f"PSI {effect.psi:.2f}, red from {limits.psi_red:g}"
    if effect.mean_shift_sd is not None and not finding.cells:
        return severity or "inside the tolerance"
    if effect.size is not None:
        return f"a shift of {effect.size:.2f}"  # in the unit of the tolerance, not times it
    if finding.statistic is not None and finding.threshold is not None:
        return f"statistic {finding.statistic:.3g}, threshold {finding.threshold:.3g}"
    return severity or "inside the tolerance"


def printable(name: str) -> str:
    """A name without control characters, not longer than MAX_NAME."""
    text = "".join(c for c in name if c.isprintable())
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"


def _cells(cells: list[Cell]) -> str:
    parts: list[str] = []
    said = ""
    for cell in cells:
        verb = _verb(cell.reference, cell.current)
        again = f"{verb} " if verb != said else ""
        said = verb
        parts.append(
            f'"{printable(cell.name)}" {again}from {_percent(cell.reference)}'
            f" to {_percent(cell.current)}"
        )
    return " and ".join(parts)


def _verb(then: float, now: float) -> str:
    return "rose" if now > then else "fell"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _figure(value: float) -> str:
    return f"{value:.4g}"
