"""Figures of the business with their cost, names that mean harm, and who may do what."""

import pytest

from schemas.output_parts import Effect, Performance
from streams.monitor.outcomes.blocks import LOWER_IS_BETTER
from tests.web.test_casefile import drift
from tests.web.test_history import one
from tests.web.test_lamps import alert, write

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

READ, WRITE = "r" * 32, "w" * 32
HARM = "<img src=x onerror=alert(1)>"


def cohort(pane, accuracy, detector="cohort"):
    """A reading of the accuracy of the rows of a pane, which was .9 before."""
    return one(
        pane, accuracy, signal="metric:accuracy", detector=detector, monitor=detector,
        threshold=0.9, breach=False, effect=Effect(current=accuracy),
    )  # fmt: skip


def test_key_figures_and_costs(runtime, site, visit):
    """A figure is drawn with its value; an incident costs points times price times time."""
    for pane in range(5):
        figure = one(
            pane, 0.3, signal="metric:conversion", detector="adwin", monitor="c",
            effect=Effect(current=0.05 + pane / 100), threshold=None,
        )  # fmt: skip
        spread = one(
            pane, 0.1, signal="metric:spread:sex", detector="segments", monitor="s",
            effect=Effect(current=0.1), threshold=None,
        )  # fmt: skip
        slow = one(pane, 0.1, signal="metric:latency_ms_p95", detector="adwin", monitor="l",
                   effect=Effect(current=40.0), threshold=None)  # fmt: skip
        write(runtime, "readings", figure, spread, slow)
    lost = Performance(metric="accuracy", realised=0.87, baseline=0.9)
    # It lasted a third of a month.
    over = {"performance": lost, "status": "resolved", "ends_at": "2026-01-11T00:00:00Z"}
    write(runtime, "alerts", type(alert())(**fields(alert()) | over))
    page = visit(site(), "/business")
    assert ["conversion 0.09"] == page.locator("#kpis .legend").all_inner_texts()
    cost = page.inner_text("#costs")
    assert "3 points of accuracy, realised" in cost
    assert "Together 5,000" in cost


def test_a_cost_is_of_the_rows_of_the_incident(runtime, site, visit):
    """Not of how it stood at the end, when the model did well again; estimated without labels."""
    write(runtime, "readings", *(cohort(pane, 0.9 - 0.04 * (pane in (1, 2))) for pane in range(5)))
    write(runtime, "readings", *(cohort(pane, 0.85, "estimate") for pane in range(5)))
    span = {"starts_at": "2026-01-01T00:01:00Z", "ends_at": "2026-01-01T00:03:00Z"}
    better = {"performance": Performance(metric="accuracy", realised=0.95, baseline=0.9)}
    write(runtime, "alerts", type(alert())(**fields(alert()) | span | better))
    address = site()
    page = visit(address, "/business")
    assert "4 points of accuracy, realised" in page.inner_text("#costs")
    later = {"incident_id": "i2", "version": "2"}
    write(runtime, "alerts", type(alert())(**fields(alert()) | span | better | later))
    write(runtime, "readings", *(fields_of(cohort(pane, 0.85, "estimate")) for pane in range(5)))
    page = visit(address, "/business")
    assert "5 points of accuracy, estimated" in page.inner_text("#costs")


def fields_of(reading):
    """The same of the second version."""
    return type(reading)(**fields(reading) | {"version": "2"})


def test_what_is_better_when_lower_is_lost_when_it_rises(site, visit):
    """Errors of numbers in per cent of what they were, all else in hundredths."""
    page = visit(site(), "/business")
    told = [("mae", 12.0, 10.0), ("brier", 0.24, 0.2), ("accuracy", 0.86, 0.9)]
    found = page.evaluate(
        """async (told) => {
          const { LOWER, loss } = await import("/static/stakes.js");
          const one = { starts_at: "2026-01-01T00:00:00Z", version: "1" };
          const lost = (performance) => loss({ ...one, performance }, [], 0).points;
          return [LOWER, told.map(([metric, realised, baseline]) =>
            lost({ metric, realised, baseline }))];
        }""",
        told,
    )
    assert [sorted(LOWER_IS_BETTER), pytest.approx([20, 4, 4])] == [sorted(found[0]), found[1]]


def fields(event):
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_names_that_mean_harm_are_texts(runtime, site, visit):
    """What producers named is shown as it was written, and never run."""
    write(runtime, "readings", one(0, 2.0, signal=f"feature:{HARM}"))
    write(runtime, "alerts", type(alert())(**fields(alert()) | {"title": HARM, "summary": HARM}))
    write(runtime, "drift-events", drift(1, 2, signal=f"feature:{HARM}", explanation=HARM))
    address = site()
    page = visit(address, "/science")
    assert HARM == page.inner_text("#heat button")
    assert HARM in page.inner_text("#shape")
    page = visit(address, "/incident?id=i1")
    assert HARM == page.inner_text("#head h1")
    assert 0 == page.locator("img").count()


def test_a_token_is_asked_for_and_says_what_one_may_do(runtime, site, visit):
    """Without a token nothing is shown; the one for reading shows all and offers no forms."""
    write(runtime, "alerts", alert())
    with_tokens = site(read_token=READ, write_token=WRITE)
    page = visit(with_tokens, "/incident?id=i1", known=False)
    page.wait_for_selector("#token input", state="visible")
    assert "" == page.inner_text("#head")
    for token, forms in ((READ, 0), (WRITE, 5)):
        page.evaluate("sessionStorage.clear()")
        page.reload()
        page.fill("#token input", token)
        page.keyboard.press("Enter")
        expect(page.locator("#head h1")).to_have_text("Something drifted")
        expect(page.locator("#token")).to_be_hidden()
        expect(page.locator(".forms form")).to_have_count(forms)
