"""The Grafana dashboards: what is drawn and asked is here, the JSON around it is made.

Promises: the same files every time; every panel says what it shows; every query is PromQL over
the names that a metrics page has, which a test asks a real Prometheus.
Leaves to others: where Grafana finds them (deploy/grafana/provisioning).
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).parent.parent / "deploy" / "grafana" / "dashboards"
SOURCE: Final = {"type": "prometheus", "uid": "windage-prometheus"}
COLUMNS: Final = 24
"""Width of Grafana's grid."""

Tree = dict[str, Any]


class Panel(NamedTuple):
    """One panel: queries by legend. `unit` in Grafana's words; `red` from which value on."""

    title: str
    says: str
    queries: dict[str, str]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    red: float | None = None


MONITOR: Final = "job, instance, model, version, segment, signal, monitor"
CHOSEN: Final = 'model=~"$model", version=~"$version", segment=~"$segment"'

OPERATIONS: Final = [
    Panel(
        "Running",
        "Processes by role. A role that is missing is an alert.",
        {"{{role}}": "count by (role) (windage_build_info)"},
        kind="stat", width=6, height=4,
    ),
    Panel(
        "Models judged",
        "Models with at least one judged window.",
        {"models": "count(count by (model) (windage_pane_close_lag_seconds))"},
        kind="stat", width=6, height=4,
    ),
    Panel(
        "Red incidents",
        "Open now, over all models.",
        {"red": 'sum(max by (job, model) (windage_incidents{severity="red"}))'},
        kind="stat", width=6, height=4, red=1,
    ),
    Panel(
        "Alerts about Windage",
        "Of deploy/prometheus/rules.yml, firing now.",
        {"firing": 'count(ALERTS{alertname=~"Windage.*", alertstate="firing"}) or vector(0)'},
        kind="stat", width=6, height=4, red=1,
    ),
    Panel(
        "Age of the last judgement",
        "Time since the end of the window judged last. Models that go by event time may be old.",
        {"{{model}}": "min by (model) (windage_pane_close_lag_seconds)"},
        unit="s",
    ),
    Panel(
        "Records that wait",
        "Known to be in the log and not read.",
        {"{{topic}}": "sum by (topic) (windage_consumer_lag_records)"},
    ),
    Panel(
        "Records read",
        "A second, by topic.",
        {
            "{{topic}}": 'sum by (topic) (rate(windage_records_total{outcome="read"}'
            "[$__rate_interval]))"
        },
        unit="reqps",
    ),
    Panel(
        "What became of them",
        "A second; joined, late, orphaned, misplaced are counted too.",
        {
            "{{outcome}}": 'sum by (outcome) (rate(windage_records_total{outcome!="read"}'
            "[$__rate_interval]))"
        },
        unit="reqps",
    ),
    Panel(
        "Refused",
        "Dead letters by code.",
        {"{{code}}": "sum by (code) (increase(windage_dead_letters_total[$__rate_interval]))"},
    ),
    Panel(
        "Open incidents",
        "By model and severity.",
        {"{{model}} {{severity}}": "max by (model, severity) (windage_incidents)"},
    ),
    Panel(
        "Budget spent",
        "Incidents of the period as a share of the false alarms allowed; true ones included.",
        {"{{model}}": "max by (model) (windage_false_alarm_budget_spent_ratio)"},
        unit="percentunit", red=1,
    ),
    Panel(
        "Monitors by state",
        "What is not `judged` says why.",
        {"{{state}}": "count by (state) (windage_state)"},
    ),
    Panel(
        "Sinks",
        "What waits for each, and for how long it has taken nothing.",
        {
            "waiting {{sink}}": "max by (sink) (windage_sink_waiting_records)",
            "failing (s) {{sink}}": "max by (sink) (windage_sink_failing_seconds)",
        },
    ),
    Panel(
        "Workers stand still",
        "Without progress while records wait; and how long their event loop stood at the most.",
        {
            "still {{instance}}": "windage_worker_still_seconds",
            "loop {{instance}}": "windage_worker_stood_still_seconds",
        },
        unit="s",
    ),
    Panel(
        "Memory of workers",
        "Resident.",
        {"{{instance}}": "windage_worker_memory_bytes"},
        unit="bytes",
    ),
    Panel(
        "Durability",
        "How long outputs and state took last, and the last restore; time without the broker.",
        {
            "durable {{instance}}": "windage_worker_durable_seconds",
            "restore {{instance}}": "windage_worker_restore_seconds",
            "broker away {{instance}}": "windage_worker_broker_away_seconds",
        },
        unit="s",
    ),
    Panel(
        "Partitions",
        "Owned by each worker, and how often they were given out in an hour.",
        {
            "owned {{instance}}": "windage_worker_partitions",
            "given out {{instance}}": "increase(windage_worker_rebalances_total[1h])",
        },
    ),
]  # fmt: skip

MODEL: Final = [
    Panel(
        "Open incidents",
        "Of this model.",
        {"{{severity}}": 'max by (severity) (windage_incidents{model=~"$model"})'},
        kind="stat", width=6, height=4, red=1,
    ),
    Panel(
        "Budget spent",
        "Share of the false alarms allowed in this period that incidents have used up.",
        {"{{model}}": 'max by (model) (windage_false_alarm_budget_spent_ratio{model=~"$model"})'},
        kind="stat", unit="percentunit", width=6, height=4, red=1,
    ),
    Panel(
        "Last judgement",
        "Time since the end of the window judged last.",
        {"{{model}}": 'min by (model) (windage_pane_close_lag_seconds{model=~"$model"})'},
        kind="stat", unit="s", width=6, height=4,
    ),
    Panel(
        "Labels",
        "Share of predictions that got one within the horizon.",
        {"{{version}} {{segment}}": f"windage_label_coverage_ratio{{{CHOSEN}}}"},
        kind="stat", unit="percentunit", width=6, height=4,
    ),
    Panel(
        "Nearest to a breach",
        "Statistic over threshold; 1 is a breach. Metrics and other levels are left out.",
        {
            "{{signal}} {{monitor}} {{segment}}": (
                f'topk(20, windage_statistic{{{CHOSEN}, signal!~"(metric|estimate|label):.*"}}'
                f' / on ({MONITOR}) windage_threshold{{{CHOSEN}, level="breach"}})'
            )
        },
        kind="bargauge", width=12, height=12, red=1,
    ),
    Panel(
        "Population stability index",
        "How far each signal has moved from its reference, corrected for bias.",
        {"{{signal}} {{segment}}": f"max by (signal, segment) (windage_psi{{{CHOSEN}}})"},
        width=12, height=12,
    ),
    Panel(
        "Performance",
        "Measured on labels (window), and estimated without them (estimate).",
        {
            "{{monitor}} {{version}} {{segment}}": (
                f'windage_statistic{{{CHOSEN}, signal=~"metric:.*"}}'
            )
        },
        width=12,
    ),
    Panel(
        "How late labels come",
        "Median and ninth decile of the labels that came lately.",
        {"{{signal}} {{version}}": f"windage_label_delay_seconds{{{CHOSEN}}}"},
        unit="s", width=12,
    ),
    Panel(
        "Operation of the model",
        "Latency, errors and other operational figures, where they are sent.",
        {
            "{{monitor}} {{version}}": (
                f'windage_statistic{{{CHOSEN}, signal=~"(operational|kpi):.*"}}'
            )
        },
        width=12,
    ),
    Panel(
        "Monitors by state",
        "`warming_up` and `too_few_rows` pass; `no_labels`, `stale`, `schema_mismatch` do not.",
        {"{{state}}": f"count by (state) (windage_state{{{CHOSEN}}})"},
        width=12,
    ),
]  # fmt: skip


def dashboards() -> dict[str, str]:
    """The files by name, each JSON text."""
    model = ("model", "version", "segment")
    made = {
        "operations.json": _dashboard("windage-operations", "Windage: operations", OPERATIONS, ()),
        "model.json": _dashboard("windage-model", "Windage: one model", MODEL, model),
    }
    return {name: json.dumps(tree, indent=2) + "\n" for name, tree in made.items()}


def _dashboard(uid: str, title: str, panels: Iterable[Panel], choices: Iterable[str]) -> Tree:
    return {
        "uid": uid,
        "title": title,
        "tags": ["windage"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": list(_choices(choices))},
        "links": [
            {"type": "dashboards", "title": "Windage", "tags": ["windage"], "keepTime": True}
        ],
        "panels": list(_placed(panels)),
    }


def _choices(names: Iterable[str]) -> Iterator[Tree]:
    """Selectors, each narrowed by those before it."""
    before: list[str] = []
    for name in names:
        within = ", ".join(f'{one}=~"${one}"' for one in before)
        query = f"label_values(windage_state{{{within}}}, {name})"
        yield {
            "name": name,
            "label": name,
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }
        before.append(name)


def _placed(panels: Iterable[Panel]) -> Iterator[Tree]:
    """The panels from left to right, a new line where one does not fit any more."""
    x = y = tallest = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        yield _panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": panel.height})
        x, tallest = x + panel.width, max(tallest, panel.height)


def _panel(number: int, panel: Panel, place: Tree) -> Tree:
    steps: list[Tree] = [{"color": "green", "value": None}]
    if panel.red is not None:
        steps.append({"color": "red", "value": panel.red})
    instant = panel.kind != "timeseries"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": [
            {
                "refId": chr(ord("A") + place_in_line),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
            }
            for place_in_line, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def main() -> int:
    """Write the files, or say which differ."""
    parser = argparse.ArgumentParser(description="Write the Grafana dashboards.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if files differ")
    check = parser.parse_args().check
    wanted = dashboards()
    there = {path.name for path in FOLDER.glob("*.json")}
    stale = [
        name
        for name, text in wanted.items()
        if name not in there or (FOLDER / name).read_text("utf-8") != text
    ]
    left = sorted(there - wanted.keys())
    if check:
        for name in [*stale, *left]:
            print(f"dashboards: {name} is not what the script says", file=sys.stderr)
        return 1 if stale or left else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(wanted[name], "utf-8")
    for name in left:
        (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
