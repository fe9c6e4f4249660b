"""An incident's class moves to what explains it, and to nothing else."""

import pytest

from tests.policy.panes import Run, cells, error, finding, quiet, red, yellow

STILL = quiet(*(f"feature:f{i}" for i in range(16)))


def test_stronger_proof_while_young_reclasses():
    """Inputs that prove to have moved at the same time explain the errors."""
    run = Run()
    run.pane_of(error(0.3), *STILL)
    first = run.incident.id
    run.pane_of(error(0.3), red("feature:AGEP"), *STILL)
    assert ("covariate_drift", first) == (run.incident.kind, run.incident.id)
    assert ["concept_drift", "covariate_drift"] == [a.triage.class_ for a in run.alerts]


def test_a_cause_that_was_mild_first_gives_the_class_once_it_is_as_bad():
    """Errors that grow slowly begin below red, and labels that follow belong to it."""
    run = Run(policy={"sustained": "2 panes"})
    fallen = finding("metric:mae", alarm=True, fall_ratio=0.12, current=0.9, baseline=0.8)
    still = quiet("feature:x", "label")
    run.pane_of(fallen, yellow("error"), *still)
    (alert,) = run.alerts
    assert "performance_drop" == alert.triage.class_
    (against,) = [one for one in alert.triage.against if "concept_drift" in one]
    assert "milder" in against
    run.panes(30, fallen, yellow("error"), *still)
    assert 1 == len(run.alerts), "nothing has changed"
    run.pane_of(fallen, red("error"), *still)
    assert ["performance_drop", "concept_drift"] == [one.triage.class_ for one in run.alerts]
    run.panes(3, fallen, red("error"), red("label"), *quiet("feature:x"))
    assert 1 == len({one.incident_id for one in run.alerts})
    assert "concept_drift" == run.alerts[-1].triage.class_


@pytest.mark.parametrize(
    ("panes", "symptom", "cell", "kind"),
    [
        (2, "rescaled", "above 9", "data_quality"),
        (20, "rescaled", "above 9", "novelty"),
        (20, "constant", "above 9", "novelty"),
        (20, "constant", "3 to 4", "data_quality"),
    ],
)
def test_what_leaves_its_range_slowly_is_not_broken(panes, symptom, cell, kind):
    """Prices that grow out of all that was known are new values to the end; a jump is a fault."""
    run = Run()
    run.panes(
        panes, red("feature:a", symptom="range", cells=cells(**{"above 9": (0, 0.3)})), *STILL
    )
    assert "novelty" == run.incident.kind
    gone = cells(**{cell: (0, 1.0)})
    run.panes(9, red("feature:a", symptom=symptom, psi=6.0, cells=gone), *STILL)
    assert kind == run.incident.kind
