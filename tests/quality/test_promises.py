"""What the README promises of detection, on streams that nothing was tuned on, whole product.

Each test draws its own columns; another seed is another stream (WINDAGE_SEED), and the laws, panes
and references differ from those of the table in docs/quality.md.
"""

import os

import numpy as np
import pytest
from scipy import signal

from tests.quality.told import config, row_of, tell

SEED = int(os.environ.get("WINDAGE_SEED", "31"))
QUIET_FOR = 365 * 86_400
"""Rows (a second apart) of a year: one false alarm in it is what these budgets allow."""


def random(*of):
    """A generator of one test."""
    return np.random.default_rng([SEED, *of])


def psi_of(told, name):
    """PSI of every judged window of a feature, as its readings say it."""
    return [
        one["effect"]["psi"]
        for one in told.readings
        if one["signal"] == f"feature:{name}" and one["effect"].get("psi") is not None
    ]


@pytest.mark.parametrize(
    ("rows", "pane"), [(60_000, 100), pytest.param(1_000_000, 500, marks=pytest.mark.slow)]
)
def test_a_twentieth_of_a_standard_deviation_is_not_worth_an_alert(rows, pane):
    """At a tolerance of .1 nothing is said, and the stability index says how small it is."""
    rng = random(1, rows)
    reference = max(5000, 30 * pane)
    x, y = rng.normal(size=(2, reference + rows))
    x[reference:] += 0.05
    told = tell(config(pane, reference, 1, QUIET_FOR), {"x": x, "y": y}, readings=True)
    assert [] == told.alerts == told.drift
    seen = psi_of(told, "x")
    assert len(seen) >= rows // pane - 1
    # A shift of .05 is a PSI of .0025; corrected for its bias, the windows' index is about that.
    assert 0.0 <= np.mean(seen) <= 0.01


@pytest.mark.parametrize(
    "law",
    ["normal", "sparse", *(pytest.param(n, marks=pytest.mark.slow) for n in ("heavy", "discrete"))],
)
def test_three_tenths_of_a_standard_deviation_are_one_yellow_alert(law):
    """One alert, yellow from beginning to end: the index of such a shift is .09."""
    rng = random(2, len(law))
    before, after = 20_000, 20_000
    z = rng.normal(size=before + after)
    z[before:] += 0.3  # in normal scores, so that every law moves by as much
    columns = {
        "normal": lambda: z,
        "heavy": lambda: np.exp(3 * z),
        "discrete": lambda: np.floor(40 + 6 * z),
        "sparse": lambda: np.where(rng.random(len(z)) < 0.5, np.nan, z),
    }
    told = tell(config(50, 5000, 1, QUIET_FOR), {"x": columns[law](), "y": rng.normal(size=len(z))})
    assert 1 == len(told.incidents)
    assert ["yellow"] == [one["severity"] for one in told.alerts]
    assert {"covariate_drift"} == {one["triage"]["class"] for one in told.alerts}
    (first,) = told.opened
    assert before < row_of(first["starts_at"]) <= before + 10_000
    event = told.drift[0]
    assert ("feature:x", "opened") == (event["signal"], event["transition"])
    assert event["detector"]["effect"]["psi"] < 0.15  # of a window of a thousand rows
    if law in ("normal", "heavy", "discrete"):
        assert 0.2 <= event["detector"]["effect"]["mean_shift_sd"] <= 0.4


def laws(rng, rows):
    """Stationary columns of mixed laws and scales (name -> (rows,)), thirty of them."""
    z = lambda: rng.normal(size=rows)
    u = lambda: rng.random(rows)
    pick = lambda names, shares: rng.choice(np.array(names, object), rows, p=shares)
    tail = 1 / np.arange(1, 301) ** 1.1
    return {
        **{f"normal_{n}": 7 + 10.0**n * z() for n in (-9, 0, 9)},
        **{f"student_{d}": rng.standard_t(d, rows) for d in (1, 2, 4)},
        **{f"lognormal_{s}": np.exp(s * z()) for s in (0.5, 1.5, 3)},
        "pareto": 10 * rng.pareto(0.8, rows),
        **{f"gamma_{k}": rng.gamma(k, 1, rows) for k in (0.1, 1, 9)},
        **{f"poisson_{m}": rng.poisson(m, rows).astype(float) for m in (0.2, 4, 90)},
        "geometric": rng.geometric(0.01, rows).astype(float),
        "mostly_nought": np.where(u() < 0.8, 0, np.round(np.exp(4 + z()), 2)),
        "rounded": np.round(z(), 1),
        "two_humps": 0.2 * z() + np.where(u() < 0.5, -3, 3),
        "bounded": rng.beta(0.2, 0.2, rows),
        **{f"missing_{m}": np.where(u() < m, np.nan, z()) for m in (0.001, 0.3, 0.9, 0.98, 0.998)},
        "outliers": np.where(u() < 0.02, 1e6, z()),
        "rarely_another": np.where(u() < 0.0005, 5.0, 4.2),
        "flag": u() < 0.03,
        "few": pick(["a", "b", "c"], [0.7, 0.25, 0.05]),
        "many": pick([f"k{i}" for i in range(60)], np.full(60, 1 / 60)),
        "tail": pick([f"k{i}" for i in range(300)], tail / tail.sum()),
        "names_or_none": np.where(u() < 0.5, None, pick(["a", "b", "c", "d"], np.full(4, 0.25))),
    }


WORLDS = [  # pane, reference, tolerance, panes
    (20, 3000, 0.0, 500),
    (3, 800, 0.0, 700),
    (150, 5000, 0.05, 150),
    (40, 5000, 0.1, 400),
    (10, 5000, 0.0, 700),
    (60, 2000, 0.0, 350),
]
"""Together about 200 signals in each of which nothing happens."""


def budget_spent(number, pane, reference, tolerance, panes):
    """Incidents of one world, and how many its budget allows."""
    rng = random(3, number)
    reference = max(reference, 31 * pane)
    columns = laws(rng, reference + pane * panes)
    allowed = 10
    per = pane * panes
    told = tell(config(pane, reference, allowed, per, tolerance=tolerance), columns)
    return len(told.incidents), allowed


def test_the_budget_holds_on_mixed_laws():
    """One world of thirty-odd signals: at most as many incidents as the budget says."""
    spent, allowed = budget_spent(0, *WORLDS[0])
    assert spent <= allowed


@pytest.mark.slow
def test_the_budget_holds_on_two_hundred_signals():
    """All worlds: panes of 3 to 150 rows, references of 800 to 5,000, tolerances of 0 to .1."""
    spent = [budget_spent(number, *world) for number, world in enumerate(WORLDS)]
    assert sum(found for found, _ in spent) <= sum(allowed for _, allowed in spent)
    assert sum(allowed for _, allowed in spent) == 10 * len(WORLDS)


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 6))]
)
def test_the_budget_holds_on_shuffled_real_rows(root, seed):
    """Shuffled, real rows are stationary, whatever their laws: nothing is said of them."""
    from tests.quality.published import table

    path = root / "examples" / "employment" / "nannyml_employment_ma_reference.csv.gz"
    columns = {name: np.array(c, float) for name, c in table(path).items() if name != "id"}
    order = random(4, seed).permutation(len(columns["year"]))[:20_000]
    columns = {name: column[order] for name, column in columns.items()}
    told = tell(config(50, 5000, 1, QUIET_FOR, tolerance=0.0), columns)
    assert [] == told.alerts


def test_rows_that_follow_one_another_keep_half_of_the_promise():
    """AR(1) at .5: the evidence is divided by the dispersion, and the event says by how much."""
    rng, keep = random(5), 0.5
    pane, panes, allowed = 25, 400, 4
    rows = 5000 + pane * panes
    noise = rng.normal(size=(6, rows))
    walks = signal.lfilter([np.sqrt(1 - keep**2)], [1, -keep], noise)
    columns = {f"x{i}": walk for i, walk in enumerate(walks)}
    wanted = config(pane, 5000, allowed, pane * panes, tolerance=0.0)
    told = tell(wanted, columns)
    assert len(told.incidents) <= 2 * allowed
    # The event states the assumption: after a real change of one column.
    columns["x0"] = np.where(np.arange(rows) >= rows // 2, columns["x0"] + 1.0, columns["x0"])
    changed = tell(wanted, columns)
    event = next(one for one in changed.drift if one["signal"] == "feature:x0")
    # Sums of panes of 25 such rows vary 2.9 times as much as those of independent ones.
    assert 1.8 <= event["detector"]["dispersion"]


def numbers(rng, rows):
    """Columns of numbers of several laws."""
    z = rng.normal(size=rows)
    return {
        "amount": np.exp(4 + z),
        "heavy": np.exp(3 * z),
        "rare": np.where(rng.random(rows) < 0.7, 0, np.round(np.exp(4 + z), 2)),
        "sparse": np.where(rng.random(rows) < 0.9, np.nan, 50 + 10 * z),
        "signed": z,
        "age": rng.integers(18, 90, rows).astype(float),
    }


def names(rng, rows):
    """Columns of categories, few and many."""
    pick = lambda count, share: rng.choice(
        np.array([f"c{i}" for i in range(count)], object), rows, p=share / share.sum()
    )
    skew = 1 / np.arange(1, 13) ** 1.5
    return {
        "two": pick(2, np.array([0.7, 0.3])),
        "skewed": pick(12, skew),
        "even": pick(40, np.ones(40)),
        "sparse": np.where(rng.random(rows) < 0.5, None, pick(4, np.ones(4))),
    }


FAULTS = {
    "times 100": (numbers, lambda x, _: x * 100, "data_quality"),
    "a hundredth": (numbers, lambda x, _: x / 100, "data_quality"),
    "default nought": (numbers, lambda x, _: np.where(np.isnan(x), x, 0.0), "data_quality"),
    "default beyond": (numbers, lambda x, _: np.full(len(x), -1.0), "data_quality"),
    "default for missing": (names, lambda x, _: np.full(len(x), "unknown", object), "data_quality"),
    "usual everywhere": (names, lambda x, _: np.full(len(x), "c0", object), "data_quality"),
    "renamed": (names, lambda x, _: np.where(x == "c0", "C0", x), "data_quality"),
    "new category": (names, lambda x, rng: np.where(rng.random(len(x)) < 0.05, "n", x), "novelty"),
}
QUICK = {("times 100", "heavy"), ("default nought", "rare"), ("new category", "even")}


@pytest.mark.parametrize(
    ("fault", "column"),
    [
        pytest.param(fault, column, marks=() if (fault, column) in QUICK else pytest.mark.slow)
        for fault, (made, _, _) in FAULTS.items()
        for column in made(np.random.default_rng(0), 10)
    ],
)
def test_faults_and_novelties_are_told_apart(fault, column):
    """One column of its table is changed; the class of the incident ends as it should.

    Another column does not change at all, so there is no other incident.
    """
    rng = random(6, *map(ord, fault + column))
    made, change, expected = FAULTS[fault]
    columns, at = made(rng, 9000), 7000
    known = columns[column]
    columns[column] = np.concatenate([known[:at], change(known[at:], rng)])
    told = tell(config(50, 5000, 1, QUIET_FOR), columns)
    assert {f"feature:{column}"} == {event["signal"] for event in told.drift}
    assert [expected] == [one["triage"]["class"] for one in told.alerts[-1:]]
    if expected == "data_quality":
        assert [] == told.requests
    else:
        assert {expected} == {event["kind"] for event in told.drift}
