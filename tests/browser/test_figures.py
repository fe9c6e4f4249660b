"""Figures beside what is judged: agreement of annotators, latency and failures of predictions."""

import pytest

from schemas.output_parts import Effect, Summary
from tests.web.test_casefile import drift, portrait
from tests.web.test_history import one
from tests.web.test_lamps import write

pytestmark = pytest.mark.browser


def opinions(pane, detector, value, low, high, signal="label:agreement"):
    """A reading of the agreement of annotators."""
    return one(
        pane, value, version="", signal=signal, detector=detector, monitor=f"{signal}/{detector}",
        threshold=None, breach=False, effect=Effect(current=value, low=low, high=high),
    )  # fmt: skip


def answers(pane, version, signal, value, **changes):
    """A summary of the predictions of a version."""
    return one(
        pane, value, version=version, signal=signal, detector="summary",
        monitor=f"{signal}/summary", threshold=None, breach=False, **changes,
    )  # fmt: skip


def cells(page, place):
    """The texts of a table, row by row."""
    rows = page.locator(f"{place} tbody tr").all()
    return [[one.strip() for one in row.locator("td").all_inner_texts()] for row in rows]


def test_whether_annotators_agree(runtime, site, visit, ask):
    """The share and kappa with their limits, the pairs and their time are the API's."""
    for pane in range(3):
        write(runtime, "readings", opinions(pane, "pairs", 0.9 + pane / 100, 0.88, 0.94))
        write(runtime, "readings", opinions(pane, "kappa", 0.4 + pane / 100, 0.31, 0.5))
    page = visit(site(), "/science?model=m")
    told = ask(page, "/v1/readings?model=m&signal=label:agreement")["readings"]
    pairs, beyond = (
        next(one for one in told if one["detector"] == name) for name in ("pairs", "kappa")
    )
    share, limits = page.inner_text("#label-agreement").split(" % ", 1)
    assert f"{100 * pairs['statistic']:.1f}" == share
    effect = pairs["effect"]
    assert f"{100 * effect['low']:.1f} % to {100 * effect['high']:.1f} %" == limits
    effect = beyond["effect"]
    assert f"{beyond['statistic']:.3g} {effect['low']:g} to {effect['high']:g}" == (
        page.inner_text("#label-kappa")
    )
    since = page.inner_text("#label-pairs")
    assert since.startswith(f"{pairs['current']['rows']} pairs")
    assert pairs["current"]["window"]["start"][:16].replace("T", " ") in since
    legend = page.locator("figure", has_text="annotators agree").inner_text()
    assert f"{100 * pairs['statistic']:.4g}" in legend


def test_labels_by_one_annotator_say_nothing_of_agreement(runtime, site, visit):
    """What was not measured has no place on the page; of numbers it is a difference."""
    write(runtime, "readings", one(0, 0.9, signal="label:coverage", detector="cohort"))
    address = site()
    page = visit(address, "/science?model=m")
    assert "90.0 %" == page.inner_text("#label-coverage")
    assert "" == page.inner_text("#agreement")
    write(runtime, "readings", opinions(1, "pairs", 2.5, 2.0, 3.25, signal="label:difference"))
    page = visit(address, "/science?model=m")
    assert "2.5 2 to 3.25" == page.inner_text("#label-difference")


def test_latency_and_failures_are_shown_as_counted(runtime, site, visit):
    """By version, though nobody sends metrics; beside them what a declared monitor judges of them.

    Whichever detector it has; what only tells of a figure gives way to what judges it.
    """
    deciles = tuple(float(10 * n) for n in range(1, 10))
    for version, half in (("1", 50.0), ("2", 80.0)):
        slow = Summary(deciles=deciles, p95=half + 200, p99=half + 900)
        write(runtime, "readings", answers(2, version, "latency_ms", half, summary=slow))
        write(runtime, "readings", answers(2, version, "failed", 0.0125))
        write(runtime, "readings", one(2, 8.3, version=version, signal="volume", detector="rate",
              monitor="volume/rate", threshold=None, breach=False))  # fmt: skip
    write(runtime, "readings", answers(2, "3", "failed", 0.0))
    signal, effect = "metric:latency_ms_p95", Effect(current=420.0)
    write(
        runtime, "readings",
        one(0, 0.2, signal=signal, detector="adwin", monitor="a", threshold=None, effect=effect),
        one(0, 7.5, signal=signal, detector="control_chart", monitor="b", effect=effect),
        one(0, 0.9, signal="metric:mean_error", detector="window", monitor="c"),
        one(0, None, signal="operational:join", detector="share", monitor="d", breach=False,
            state="warming_up"),
    )  # fmt: skip
    page = visit(site(), "/?model=m")
    assert [
        ["1", "500", "50 ms", "250 ms", "950 ms", "1.25 %"],
        ["2", "500", "80 ms", "280 ms", "980 ms", "1.25 %"],
        ["3", "500", "not sent", "not sent", "not sent", "0.00 %"],
    ] == [row[:6] for row in cells(page, "#counted")]
    assert "rows, version 2 500" in page.locator("figure").first.inner_text()
    latency = page.locator("figure", has_text="milliseconds").inner_text()
    assert "milliseconds, version 1 50" in latency
    failed = page.locator("figure", has_text="failed (per cent)").inner_text()
    assert "failed (per cent), version 1 1.25" in failed
    assert [
        ["■ breach", "latency ms p95", "1", "420", "7.5", "1"],
        ["warming up", "join", "1"],
    ] == [row[: 6 - 3 * (row[1] == "join")] for row in cells(page, "#operational")]


def test_a_number_that_does_not_drift_is_described(runtime, site, visit):
    """Its mean beside that of the reference, and its quantiles."""
    deciles = tuple(30.0 + n for n in range(9))
    now = Summary(mean=34.5, sd=6.25, max=71.0, deciles=deciles, missing=0.015)
    effect = Effect(current=34.5, baseline=33.0)
    write(runtime, "readings", one(0, 0.2, threshold=1.0))
    write(runtime, "readings", answers(1, "1", "feature:age", 34.5, summary=now, effect=effect))
    page = visit(site(), "/science?model=m&signal=feature:age")
    told = dict(cells(page, "#summary"))
    assert ("34.5", "33", "6.25") == tuple(
        told[name] for name in ("Mean", "Mean of the reference", "Standard deviation")
    )
    assert ("30 and 38", "34") == (told["Eight in ten lie between"], told["Median"])
    assert told["Least and most"].endswith("and 71")
    assert ("1.5 %", "500") == (told["Missing"], told["Rows"])


def test_what_has_never_drifted_has_histograms(runtime, site, visit, ask):
    """Of each version, of features and labels; a drift event is shown until a reading is newer."""
    write(
        runtime, "readings",
        portrait(4, 0.375, version="2"), portrait(5, 0.25), one(6, 0.3),
        portrait(5, 0.875, signal="label"),
    )  # fmt: skip
    address = site()
    page = visit(address, "/science?model=m&signal=feature:age")
    told = ask(page, "/v1/shape?model=m&signal=feature:age")["readings"]
    expected = [
        f"{100 * was:.1f} % → {100 * now:.1f} %"
        for one in told
        for was, now in zip(
            *(one["current"]["histograms"][k] for k in ("reference", "current")), strict=True
        )
    ]
    shares = lambda place: page.locator(f"{place} .shares").all_inner_texts()
    assert ["50.0 % → 25.0 %", "50.0 % → 75.0 %"] == expected[:2]
    assert expected == shares("#shape")
    assert "2026-01-01 00:06 (version 1): 500 rows against 5,000" in page.inner_text("#shape")
    assert ["50.0 % → 87.5 %", "50.0 % → 12.5 %"] == shares("#label-shape")
    write(runtime, "drift-events", drift(1, 2, explanation="It moved."))  # at one o'clock
    page = visit(address, "/science?model=m&signal=feature:age")
    assert ["50.0 % → 10.0 %", "50.0 % → 90.0 %", *expected[2:]] == shares("#shape")
    write(runtime, "readings", portrait(61, 0.625))
    page = visit(address, "/science?model=m&signal=feature:age")
    assert ["50.0 % → 62.5 %", "50.0 % → 37.5 %", *expected[2:]] == shares("#shape")
    assert "It moved." in page.inner_text("#shape")


def test_how_far_panes_lie_apart(runtime, site, visit):
    """Their quartiles, with what is normal; the signal can be chosen though it has no histogram."""
    apart = Summary(p25=0.744, p50=0.801, p75=0.86)
    effect = Effect(size=0.09, current=0.116, baseline=0.026)
    told = {"detector": "quartiles", "monitor": "q", "summary": apart, "effect": effect}
    write(runtime, "readings", one(0, 7.5, signal="spread", **told))
    page = visit(site(), "/science?model=m&signal=spread")
    assert "spread" == page.locator("#heat button").get_attribute("title")
    assert ["74.4 %", "80.1 %", "86.0 %", "11.6 %", "2.6 %"] == [
        row[1] for row in cells(page, "#quartiles")
    ]
    assert "No histogram" in page.inner_text("#shape")
