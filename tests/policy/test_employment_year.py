"""A year as the demo makes it: five injected incidents, found as what they are, and no other.

Windows are drawn as the monitor makes them: an effect grows while a window of six panes fills,
and lingers while it empties; labels come four panes late; noise joins by false discovery.
"""

import random

import msgspec
import pytest

from tests.policy.panes import Run, finding

FEATURES = [
    "SCHL",
    "AGEP",
    "ANC",
    "RELP",
    "MAR",
    "ESP",
    "DIS",
    "SEX",
    "MIL",
    "CIT",
    "MIG",
    "NATIV",
    "DEAR",
    "DEYE",
    "DREM",
    "RAC1P",
]
SEGMENTS = ["*", "SEX=1", "SEX=2"]
ROWS = 500
WINDOW = 6
LAG = 4
"""Panes a label is late."""


def share(pane, first, last):
    """How much of the window of `pane` lies in rows first..last (0..1)."""
    inside = sum(first <= ROWS * (p + 0.5) < last for p in range(pane - WINDOW + 1, pane + 1))
    return inside / WINDOW


# signal -> (first row, last row, full PSI, symptom, segments, version)
INPUTS = {
    "SCHL": (8_000, 11_000, 1.6, "missing", SEGMENTS),
    "AGEP": (18_000, 24_000, 0.32, "shift", SEGMENTS),
    "MAR": (18_000, 24_000, 0.14, "shift", SEGMENTS),
    "ANC": (30_000, 33_000, 0.7, "unseen", SEGMENTS),
}


def moved(signal, effect, chance, **says):
    """A finding whose effect is `effect` PSI: an alarm from .04 on, joining from .02."""
    noisy = max(-0.01, effect + chance.uniform(-0.006, 0.006))
    return finding(
        signal,
        psi=noisy,
        size=3 * max(noisy, 0.0),
        alarm=noisy >= 0.04,
        joins=noisy >= 0.02,
        inside=noisy < 0.02,
        **says,
    )


def pane_findings(pane, chance, delay):
    """All findings of one pane; those of labels say that they may be `delay` late."""
    row = ROWS * (pane + 1)
    version = "2" if 56_000 < row <= 64_000 else "1"
    found = []
    for name in FEATURES:
        for segment in SEGMENTS:
            first, last, psi, symptom, _ = INPUTS.get(name, (0, 0, 0.0, "shift", SEGMENTS))
            effect = psi * share(pane, first, last)
            # One finding in two hundred joins although nothing moved.
            effect = max(effect, 0.03 * (chance.random() < 0.005))
            found.append(
                moved(
                    f"feature:{name}",
                    effect,
                    chance,
                    version=version,
                    symptom=symptom,
                    segment=segment,
                )
            )
    followed = sum(
        scale * share(pane, *INPUTS[name][:2])
        for name, scale in (("SCHL", 0.2), ("AGEP", 0.3), ("ANC", 0.06))
    )
    squeezed = share(pane, 56_000, 64_000) if version == "2" else 0.0
    late = pane - LAG
    for segment in SEGMENTS:
        where = {"segment": segment, "version": version}
        found.append(moved("score", followed + 0.5 * squeezed, chance, **where))
        found.append(moved("prediction", followed / 2, chance, **where))
        flipped = share(late, 40_000, 48_000) * {"*": 0.5, "SEX=1": 0.0, "SEX=2": 1.0}[segment]
        spoilt = share(late, 8_000, 11_000)
        rate = 0.165 + 0.2 * flipped + 0.05 * spoilt + chance.uniform(-0.004, 0.004)
        delayed = {**where, "label_delay": delay}
        grown = share(late, 18_000, 24_000) * 0.15
        found.append(moved("label", 0.3 * flipped + grown, chance, **delayed))
        found.append(
            finding(
                "error",
                current=rate,
                baseline=0.165,
                size=40 * abs(rate - 0.165),
                alarm=rate > 0.185,
                joins=rate > 0.175,
                inside=rate < 0.175,
                **delayed,
            )
        )
        fall = (rate - 0.165) / 0.835
        found.append(
            finding(
                "metric:accuracy",
                current=1 - rate,
                baseline=0.835,
                fall_ratio=fall,
                fall=rate - 0.165,
                size=0.1,
                alarm=fall > 0.02,
                joins=fall > 0.015,
                inside=fall < 0.015,
                **delayed,
            )
        )
    calibration = 0.3 * share(late, 56_000, 64_000) if version == "2" else 0.0
    found.append(moved("error|score", calibration, chance, version=version))
    found.append(moved("calibration", calibration, chance, version=version))
    return found


EXPECTED = [
    ("data_quality", "*"),
    ("covariate_drift", "*"),
    ("novelty", "*"),
    ("concept_drift", "SEX=2"),
    ("calibration_drift", "*"),
]
FOUND = [
    (8_000, 9_500),
    (18_000, 19_500),
    (30_000, 31_500),
    # Labels are four panes late.
    (40_000, 43_500),
    (56_000, 57_600),
]
"""The first row of each incident, and the last by which it must be found."""


@pytest.mark.parametrize("delay", [0, LAG * ROWS * 450_000], ids=["unknown", "known"])
@pytest.mark.parametrize("seed", range(3))
def test_five_incidents_of_the_right_class_and_nothing_else(seed, delay):
    """Five alerts (updates apart), three requests, no rollback; delay known or not."""
    chance = random.Random(seed)
    run = Run(pane=ROWS * 450_000)
    classes, rows = {}, {}
    for pane in range(138):
        begin = run.now + (1 - WINDOW) * run.pane
        run.pane_of(
            *(
                msgspec.structs.replace(f, window_start=begin)
                for f in pane_findings(pane, chance, delay)
            )
        )
        for incident in run.open:
            classes[incident.id] = (incident.kind, incident.segment)
            rows.setdefault(incident.id, ROWS * (pane + 1))
    assert EXPECTED == list(classes.values())
    for (first, latest), row in zip(FOUND, rows.values(), strict=True):
        assert first < row <= latest
    requested = [classes[r.incident_ids[0]][0] for r in run.retrains]
    assert ["covariate_drift", "novelty", "concept_drift"] == requested
    assert [] == run.rollbacks
    assert set(classes) == {a.incident_id for a in run.alerts}
