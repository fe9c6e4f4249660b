"""A real browser over the pages, and the demo stream behind them.

Every test ends with the same question: no error on the console, no request that failed, none to
another host. Screenshots go to the directory that WINDAGE_SCREENSHOTS names.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from streams.cli.demo.embedded import EmbeddedStage
from streams.cli.demo.page import Page as Served
from streams.cli.demo.story import MODEL, Story, instant_of, open_story
from streams.cli.endings import OperatorError
from streams.runtime.embedded import Embedded
from streams.web.server import Server
from streams.web.views import About, Stakes
from tests.browser.serving import Serving
from tests.browser.waiting import until
from tests.runtime.counting import CountingMonitors, CountingProfilers

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ROWS = 72_500
QUIET = 68_000
"""The rows before the change of the demo's stream, of which a few panes are enough."""


@pytest.fixture(scope="module")
def chromium():
    """A running Chromium; skips where there is none.

    Not for the session: while it runs, no test of another folder can have an event loop.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        path = next(filter(None, map(shutil.which, NAMES)), str(own) if own.is_file() else None)
        if path is None:
            pytest.skip("no chromium on this machine")
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


class Told(NamedTuple):
    """The demo's story, and its records from QUIET on: log, instant, key, value, by time."""

    story: Story
    records: list[tuple[str, int, bytes, bytes]]


@pytest.fixture(scope="session")
def told(tmp_path_factory):
    """The demo's story around its first change."""
    try:
        story = open_story(tmp_path_factory.mktemp("story"), rows=ROWS)
    except OperatorError as error:
        pytest.skip(str(error))
    records = [
        (log, *one)
        for chunk in story.chunks()
        for log, entries in chunk.entries.items()
        for one in zip(entries.times, entries.keys, entries.values, strict=True)
        if one[0] >= instant_of(QUIET)
    ]
    return Told(story, sorted(records, key=lambda one: one[1]))


class Stage(NamedTuple):
    """A runtime with its pages; `feed` gives it the records of the rows before one."""

    runtime: Embedded
    address: str
    feed: Callable[[int], None]


@pytest.fixture(scope="session")
def play(told):
    """Return a context: a stage that has been fed the rows from QUIET on up to a row."""

    @contextlib.contextmanager
    def played(directory, upto):
        stage = EmbeddedStage(told.story, directory)
        runtime = stage.runtime
        runtime.start()
        fed = [instant_of(QUIET)]

        def feed(row):
            start, fed[0] = fed[0], instant_of(row)
            made = [
                runtime.entry(log, key, value, timestamp=at)
                for log, at, key, value in told.records
                if start <= at < fed[0]
            ]
            runtime.append_many(made)
            until(lambda: not sum(runtime.backlog().values()))

        feed(upto)
        try:
            with Served(runtime, told.story.config, 0) as served:
                yield Stage(runtime, served.address.rstrip("/"), feed)
        finally:
            stage.close()

    return played


@pytest.fixture(scope="session")
def shown(play, tmp_path_factory):
    """A stage with an open incident, for tests that only look."""
    with play(tmp_path_factory.mktemp("shown"), 71_000) as stage:
        until(lambda: stage.runtime.outputs("alerts"))
        yield stage


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
    with contextlib.ExitStack() as stack:

        def served(**tokens):
            tokens = {name: SecretStr(text) for name, text in tokens.items()}
            made = lambda http: Server(runtime, http.model_copy(update=tokens), about)
            return stack.enter_context(Serving(made))

        yield served


@pytest.fixture
def visit(chromium, request):
    """Return a function that opens a page and waits until it shows what it asked for."""
    contexts, wrong = [], []

    def visited(address, path="/", *, known=True, **options):
        """`known` False: the server does not know us yet, so it answers 401 until it does."""
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()

        def complain(text):
            if known or "401" not in text:
                wrong.append(text)

        page.on("console", lambda said: said.type == "error" and complain(said.text))
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("requestfailed", lambda one: left(one) or complain(one.url))
        page.on("request", lambda one: foreign(one.url, address) and complain(one.url))
        page.on("response", lambda one: one.status < 400 or complain(f"{one.status} {one.url}"))
        page.goto(address + path)
        if known:
            page.wait_for_selector("body[data-ready]", timeout=20_000)
        return page

    yield visited
    folder = os.environ.get("WINDAGE_SCREENSHOTS")
    for number, context in enumerate(contexts):
        if folder and context.pages:
            name = f"{request.node.name}-{number}.png".replace("/", "-")
            context.pages[0].screenshot(path=Path(folder) / name, full_page=True)
        context.close()
    assert [] == wrong


def left(request):
    """Whether a request only ended because the page was left."""
    return request.failure == "net::ERR_ABORTED"


def foreign(url, address):
    """Whether a request leaves the server it was asked of."""
    return not url.startswith((address, "data:", "blob:"))


@pytest.fixture
def ask():
    """Return a function that asks the API as a page does."""
    return lambda page, path: page.evaluate("path => fetch(path).then(one => one.json())", path)


@pytest.fixture
def model():
    """The name of the demo's model."""
    return MODEL
