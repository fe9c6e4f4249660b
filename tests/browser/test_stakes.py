"""Figures of the business with their cost, names that mean harm, and who may do what."""

from contextlib import ExitStack

import pytest
from pydantic import SecretStr

from schemas.output_parts import Effect, Performance
from streams.runtime.embedded import Embedded
from streams.web.server import Server
from streams.web.views import About, Stakes
from tests.browser.serving import Serving
from tests.runtime.counting import CountingMonitors, CountingProfilers
from tests.web.test_casefile import drift
from tests.web.test_history import one
from tests.web.test_lamps import alert, write

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

READ, WRITE = "r" * 32, "w" * 32
HARM = "<img src=x onerror=alert(1)>"


@pytest.fixture
def runtime(tmp_path):
    """A runtime that says nothing by itself."""
    runtime = Embedded(CountingProfilers(), CountingMonitors(), tmp_path)
    runtime.start()
    yield runtime
    runtime.stop()


@pytest.fixture
def site(runtime):
    """Return a function that serves the pages, with tokens or without, and gives the address."""
    stakes = Stakes(level="high", retrain_cost=300.0, cost_per_point=5000.0)
    about = {"m": About(task="binary", clock="broker", stakes=stakes)}
    with ExitStack() as stack:

        def served(**tokens):
            tokens = {name: SecretStr(text) for name, text in tokens.items()}
            made = lambda http: Server(runtime, http.model_copy(update=tokens), about)
            return stack.enter_context(Serving(made))

        yield served


def test_key_figures_and_costs(runtime, site, visit):
    """A figure is drawn with its value; an incident costs the points lost times their price."""
    for pane in range(5):
        figure = one(
            pane, 0.3, signal="metric:conversion", detector="adwin", monitor="c",
            effect=Effect(current=0.05 + pane / 100), threshold=None,
        )  # fmt: skip
        write(runtime, "readings", figure)
    lost = Performance(metric="accuracy", realised=0.87, baseline=0.9)
    write(runtime, "alerts", type(alert())(**fields(alert()) | {"performance": lost}))
    page = visit(site(), "/business")
    assert "conversion 0.09" == page.inner_text("#kpis .legend")
    cost = page.inner_text("#costs")
    assert "3 points of accuracy" in cost
    assert "15,000" in cost


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
