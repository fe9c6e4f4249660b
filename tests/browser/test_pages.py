"""Each page shows what the API says: numbers are compared, not pictures."""

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def texts(page, selector):
    return [one.strip() for one in page.locator(selector).all_inner_texts()]


def said(value):
    """A number as the page writes it: four digits."""
    return f"{value:.4g}"


def test_operations(shown, visit, ask, model):
    """Models, incidents, lag and letters are those of the API."""
    page = visit(shown.address)
    (known,) = ask(page, "/v1/models")["models"]
    row = texts(page, "#models tbody td")
    assert [f"■ {known['severity']}", model] == row[:2]
    assert known["since"][:16].replace("T", " ") == row[2]
    assert str(known["incidents"]) == row[3]
    assert said(known["performance"]["window"]["value"]) in row[6]
    assert f"{known['budget']['spent']:g} of {known['budget']['allowed']:g}" in row[8]
    alerts = ask(page, "/v1/incidents")["incidents"]
    assert 1 <= len(alerts)
    assert [one["title"] for one in alerts] == texts(page, "#incidents tbody a")
    pipeline = ask(page, "/v1/pipeline")
    read = sum(one.get("read", 0) for one in pipeline["records"].values())
    assert f"{read:,}" == page.inner_text("#figure-read")
    assert "0" == page.inner_text("#figure-lag")


def test_data_science(shown, visit, ask, model):
    """Heat, statistic, threshold, histogram, segments, performance and labels are the API's."""
    page = visit(shown.address, "/science")
    strip = ask(page, f"/v1/heat?model={model}")
    peaks = dict(zip(strip["signals"], map(max, strip["shares"]), strict=True))
    names = [one.get_attribute("title") for one in page.locator("#heat button").all()]
    assert sorted(peaks) == sorted(names)
    assert max(peaks.values()) == peaks[names[0]] >= 100
    assert "feature:RELP" in page.inner_text("#signal")
    drawn = ask(page, f"/v1/history?model={model}&signal=feature:RELP&segment=*")["series"][0]
    legend = page.locator("figure", has_text="threshold").first.inner_text()
    assert f"statistic {said(drawn['statistic'][-1])}" in legend
    assert f"threshold {said(drawn['threshold'][-1])}" in legend
    event = ask(page, f"/v1/shape?model={model}&signal=feature:RELP&segment=*")["events"][0]
    histograms = event["current"]["histograms"]
    before, now = histograms["reference"][0], histograms["current"][0]
    assert f"{100 * before:.1f} % → {100 * now:.1f} %" == texts(page, "#shape .shares")[0]
    readings = ask(page, f"/v1/readings?model={model}&signal=feature:RELP")["readings"]
    assert len(readings) == page.locator("#segments tbody tr").count()
    coverage = ask(page, f"/v1/history?model={model}&signal=label:coverage")["series"][0]
    assert f"{100 * coverage['statistic'][-1]:.1f} %" == page.inner_text("#label-coverage")
    estimate = ask(page, f"/v1/history?model={model}&signal=metric:accuracy&detector=estimate")
    performance = page.locator("figure", has_text="estimated before labels").inner_text()
    assert said(estimate["series"][0]["statistic"][-1]) in performance


def test_a_summary_is_no_judgement(shown, visit):
    """It is told of a signal only where nothing is judged."""
    page = visit(shown.address, "/science")
    told = page.evaluate(
        """async () => {
          const { judgements } = await import("/static/readings.js");
          const of = (names) => judgements(names.map((detector) => ({ detector })));
          const kept = (names) => of(names).map((one) => one.detector);
          return [kept(["psi", "summary", "adwin"]), kept(["summary", "page_hinkley"])];
        }"""
    )
    assert [["psi"], ["summary"]] == told


def test_business(shown, visit, ask, model):
    """Performance, incidents and requests are the API's."""
    page = visit(shown.address, "/business")
    (known,) = ask(page, "/v1/models")["models"]
    figure = known["performance"]["window"]
    assert page.inner_text("#figure-realised").startswith(said(figure["value"]))
    alerts = ask(page, "/v1/incidents")["incidents"]
    assert str(len(alerts)) == page.inner_text("#figure-incidents").split()[0]
    assert [one["title"] for one in alerts] == texts(page, "#costs tbody a")
    marks = ask(page, f"/v1/marks?model={model}")["marks"]
    asked = [one for one in marks if one["type"] == "retrain_requested"]
    assert str(len(asked)) == page.inner_text("#figure-retrainings")


def test_an_incident(shown, visit, ask):
    """Why, which rows, with a command that prints exactly those."""
    page = visit(shown.address)
    page.click("#incidents tbody a")
    page.wait_for_selector("#rows code")
    file = ask(page, "/v1/incidents/" + re.search(r"id=(\w+)", page.url)[1])
    assert file["incident"]["title"] == page.inner_text("#head h1")
    reasons = file["incident"]["triage"]["because"]
    assert reasons == texts(page, "#why ul:first-of-type li")[: len(reasons)]
    (first, *_) = file["rows"]
    command = page.locator("#rows code").first.inner_text()
    assert f"windage tail {first['topic']}" in command
    assert f"--from {first['from']} --to {first['to']}" in command
    assert len(file["incident"]["signals"]) == page.locator("#signals tbody tr").count()
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_address_says_what_is_shown(shown, visit, model):
    """Model, time and signal are in the URL, and a copied address shows the same."""
    page = visit(shown.address, "/science")
    page.click("#heat button[title='feature:AGEP']")
    page.select_option("#range", "7d")
    expect(page.locator("#signal")).to_contain_text("feature:AGEP")
    assert "signal=feature%3AAGEP" in page.url
    assert "range=7d" in page.url
    again = visit(shown.address, page.url.removeprefix(shown.address))
    again.wait_for_selector("#heat button[aria-pressed=true]")
    assert "feature:AGEP" in again.inner_text("#signal")
    assert "7d" == again.input_value("#range")


@pytest.mark.parametrize("path", ["/", "/science", "/business"])
def test_a_phone_needs_no_scrolling_sideways(shown, visit, path):
    """At 360 pixels, in the dark: nothing is wider than the screen."""
    page = visit(shown.address, path, viewport={"width": 360, "height": 740}, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_is_enough(shown, visit):
    """From the top of a page to an incident and another page, without a mouse."""
    page = visit(shown.address)
    page.keyboard.press("Tab")
    assert "To the content" == page.evaluate("document.activeElement.innerText")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.key ?? ''").startswith("incident-"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#head h1")
    page.keyboard.press("2")
    page.wait_for_selector("#heat button")
    assert "/science" in page.url
    chosen = page.locator("#heat button").nth(1)
    chosen.focus()
    page.keyboard.press("Enter")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(chosen).to_be_focused()
