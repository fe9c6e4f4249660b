"""The rules and dashboards ask for what is there, and a real Prometheus can answer them.

Without promtool and prometheus (Debian: apt install prometheus) their part is skipped.
"""

import json
import re
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import free_port, read

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"

CONTRACT = {
    "windage_statistic", "windage_threshold", "windage_state", "windage_psi",
    "windage_records_total", "windage_dead_letters_total", "windage_label_coverage_ratio",
    "windage_label_delay_seconds", "windage_pane_close_lag_seconds",
    "windage_consumer_lag_records", "windage_false_alarm_budget_spent_ratio",
    "windage_incidents", "windage_build_info",
}  # fmt: skip
LABELS = {"model", "version", "segment", "signal", "monitor"}
NAMED_FOR = {"level", "state", "topic", "outcome", "code", "severity", "role", "python", "sink"}

WITHOUT_DATA = {
    # The demo sends neither latencies nor KPIs of its own.
    "Operation of the model",
    # Nor has it sinks.
    "Sinks",
}
"""Titles of panels that ask for what the demo does not have; each query of the others shows
something."""

Tree = dict[str, Any]


def rules() -> list[Tree]:
    """The alert rules."""
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[Tree]:
    """The panels of all dashboards."""
    trees = [json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))]
    return [panel for tree in trees for panel in tree["panels"]]


def queries() -> list[tuple[str, str]]:
    """Title of the panel and PromQL, variables filled in as Grafana does for all models."""
    filled = {"$__rate_interval": "5s", "$model": ".*", "$version": ".*", "$segment": ".*"}
    found = []
    for panel in panels():
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in filled.items():
                query = query.replace(name, value)
            assert "$" not in query
            found.append((panel["title"], query))
    return found


def series(*pages: str) -> dict[str, set[str]]:
    """The labels of each series name on metrics pages."""
    found: dict[str, set[str]] = {}
    for page in pages:
        for line in page.splitlines():
            if line and not line.startswith("#"):
                name, _, rest = line.partition("{") if "{" in line else line.partition(" ")
                found.setdefault(name, set()).update(re.findall(r'(\w+)="', rest))
    return found


@pytest.fixture(scope="module")
def pages(demo: str, worker: str, sinks: str) -> dict[str, set[str]]:
    """What a live demo, a monitor's page and a sink's have, together."""
    return series(read(f"{demo}/metrics"), read(f"{worker}/metrics"), sinks)


@pytest.fixture(scope="module")
def promtool() -> str:
    """Its path."""
    return tool("promtool")


def tool(name: str) -> str:
    """The path of a program."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: prometheus, prometheus-alertmanager)")
    return path


def done(*command: str) -> str:
    """What a program says; it must end with 0."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROMETHEUS)
    assert (0, "") == (result.returncode, result.stderr if result.returncode else "")
    return result.stdout


def test_the_rules_are_rules(promtool: str) -> None:
    """Prometheus' own tool takes them, and finds as many as we do."""
    assert f"{len(rules())} rules found" in done(promtool, "check", "rules", "rules.yml")


def test_each_alert_comes_when_it_must(promtool: str) -> None:
    """Prometheus' own unit tests, and every alert is expected by one of them."""
    assert "SUCCESS" in done(promtool, "test", "rules", "rules_test.yml")
    cases = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    fired = {
        one["alertname"] for case in cases for one in case["alert_rule_test"] if "exp_alerts" in one
    }
    assert {rule["alert"] for rule in rules()} == fired


def test_the_configuration_of_prometheus_is_one(promtool: str) -> None:
    """All but the token, which is made when the containers start."""
    assert "SUCCESS" in done(promtool, "check", "config", "--syntax-only", "prometheus.yml")


def test_alertmanager_takes_its_configuration() -> None:
    """Its own tool reads it."""
    said = done(tool("amtool"), "check-config", "alertmanager.yml")
    assert "SUCCESS" in said


def test_every_alert_has_a_section_of_a_runbook() -> None:
    """The link leads to a heading that is there."""
    for rule in rules():
        path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        text = (ROOT / path).read_text()
        headings = {line[3:].lower() for line in text.splitlines() if line.startswith("## ")}
        assert anchor == "" or anchor in headings, rule["alert"]
        assert anchor in ("", rule["alert"].lower())


def test_the_page_has_the_names_and_labels_of_the_contract(pages: dict[str, set[str]]) -> None:
    """All of them, under no other label than those that are allowed."""
    assert set() == CONTRACT - set(pages)
    own = {name: labels - LABELS - NAMED_FOR for name, labels in pages.items()}
    assert {} == {name: rest for name, rest in own.items() if rest - {"version"}}


def test_every_metric_that_is_asked_for_exists(pages: dict[str, set[str]]) -> None:
    """Rules, their tests and dashboards name only what a live page has."""
    texts = [str(rule["expr"]) for rule in rules()]
    texts += [query for _, query in queries()]
    texts.append((PROMETHEUS / "rules_test.yml").read_text().replace("windage-", ""))
    named = {name for text in texts for name in re.findall(r"\bwindage_[a-z_]+", text)}
    assert set() == named - set(pages)


def test_the_dashboards_are_what_the_script_writes() -> None:
    """Nobody edited them by hand."""
    done(str(ROOT / "scripts" / "dashboards"), "--check")


def test_provisioning_names_the_source_of_the_dashboards() -> None:
    """Grafana would show every panel empty otherwise."""
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "windage.yml").read_text())["datasources"]
    asked = {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]}
    assert asked <= {source["uid"] for source in sources}


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Alertmanager with our configuration."""
    program = tool("prometheus-alertmanager")
    address, folder = f"127.0.0.1:{free_port()}", tmp_path_factory.mktemp("alertmanager")
    with running(
        program,
        f"--config.file={PROMETHEUS / 'alertmanager.yml'}",
        f"--storage.path={folder}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=error",
    ):
        until(lambda: read(f"{address}/-/ready"))
        yield address


@pytest.fixture(scope="module")
def prometheus(
    demo: str, worker: str, alertmanager: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a Prometheus with our rules that has scraped both pages a few times."""
    program = tool("prometheus")
    address, folder = f"127.0.0.1:{free_port()}", tmp_path_factory.mktemp("prometheus")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(PROMETHEUS / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": "windage", "static_configs": [{"targets": [demo, worker]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with running(
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'store'}",
        f"--web.listen-address={address}",
        "--log.level=error",
    ):
        scraped = 'min(count_over_time(up{job="windage"}[1m]) and up == 1) >= 4'
        until(lambda: ask(address, scraped))
        yield address


@contextmanager
def running(*command: str) -> Iterator[None]:
    """A program that is ended again."""
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.25)


def ask(address: str, query: str) -> list[Tree]:
    """The result of an instant query; empty while nobody answers, AssertionError if refused."""
    text = read(f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    if not text:
        return []
    said = json.loads(text)
    assert said["status"] == "success", query
    result: list[Tree] = said["data"]["result"]
    return result


def test_a_real_prometheus_answers_every_panel(prometheus: str) -> None:
    """Each query of the dashboards returns data, or is of a panel that is known to be empty."""
    empty = {title for title, query in queries() if not ask(prometheus, query)}
    assert WITHOUT_DATA == empty


def test_a_real_prometheus_evaluates_every_rule(prometheus: str) -> None:
    """None fails (a join of many to many does only on real series), and none is missing."""
    groups = json.loads(read(f"{prometheus}/api/v1/rules"))["data"]["groups"]
    loaded = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert {rule["alert"]: "ok" for rule in rules()} == loaded


def test_the_selectors_of_the_dashboards_offer_the_demo(prometheus: str) -> None:
    """`label_values` of the variables finds its model."""
    found = ask(prometheus, "count by (model, version, segment) (windage_state)")
    assert "employment" in {one["metric"]["model"] for one in found}


def test_a_real_alertmanager_receives_the_alerts(prometheus: str, alertmanager: str) -> None:
    """The red incident of the monitor's page comes through both, with the link to its runbook."""

    def received() -> list[Tree]:
        alerts: list[Tree] = json.loads(read(f"{alertmanager}/api/v2/alerts") or "[]")
        return [one for one in alerts if one["labels"]["alertname"] == "WindageRedIncident"]

    assert ask(prometheus, "up")
    until(received)
    (alert,) = received()
    assert ("m", "critical") == (alert["labels"]["model"], alert["labels"]["severity"])
    assert "docs/runbooks/README.md" == alert["annotations"]["runbook_url"]
    assert "nobody" == alert["receivers"][0]["name"]
