"""`windage card MODEL`: a monitoring card: what is watched and why, and what came of it.

Promises: says what the config and the topics say; what is not known is said to be unknown, never
left out; Markdown, or one HTML file under 300 KB.
Leaves to others: folding (`history`), writing (`blocks`).
"""

import sys
import time
from pathlib import Path
from typing import Any, Final

from schemas.config_card import Card
from schemas.config_model import AUTO, ModelConfig
from schemas.durations import Threshold, show_duration
from schemas.instants import rfc3339
from schemas.outputs import Reading
from streams.cli import blocks
from streams.cli.blocks import Block, Grid, Heading, Points, Words
from streams.cli.console import emit_object, say
from streams.cli.endings import REFUSED, UNREACHABLE, OperatorError
from streams.cli.history import History, read_history
from streams.cli.incidents import span_of
from streams.cli.places import Place, reading
from streams.cli.status import coverage_of, latest_readings

_FORMS: Final = (".md", ".html", ".htm")

_CUT: Final = 300
"""Characters of a sentence in a table."""


def run(place: Place, model: str, output: Path | None, *, as_json: bool) -> None:
    """Write the card to `output` (.md or .html), or to stdout."""
    if output is not None and output.suffix.lower() not in _FORMS:
        raise OperatorError(f"--output: must end with {' or '.join(_FORMS)}", REFUSED)
    config = place.told()
    with reading(place) as reader:
        history = read_history(reader)
        latest = [one for one in latest_readings(reader) if one.model == model]
    told = None if config is None else config.model(model)
    if told is None and model not in history.models() and not latest:
        raise OperatorError(f"{model}: nothing is known of this model", REFUSED)
    if as_json:
        emit_object(
            {
                "model": model,
                "config": None if told is None else told.model_dump(mode="json", by_alias=True),
                "incidents": [history.incident(case) for case in history.cases(model)],
                "coverage": coverage_of(latest),
                "performance": _performance_rows(latest),
                "audit": _audit(history, model),
            }
        )
        return
    title = f"Monitoring card of {model}"
    content = blocks_of(model, told, history, latest)
    html = output is not None and output.suffix.lower() != ".md"
    text = blocks.html(title, content) if html else blocks.markdown(title, content)
    if output is None:
        sys.stdout.write(text)
        return
    if not output.parent.is_dir():
        raise OperatorError(f"{output.parent}: no such directory", UNREACHABLE)
    output.write_text(text, encoding="utf-8")
    say(f"{output}: {len(text.encode()) // 1000 + 1:,} kB")


def blocks_of(
    model: str, config: ModelConfig | None, history: History, latest: list[Reading]
) -> list[Block]:
    """The card of a model."""
    now = rfc3339(time.time_ns() // 60_000_000_000 * 60_000)
    return [
        Words(f"Written {now} from the config and the records of the installation."),
        *_purpose(config, history, model),
        *_watched(config, latest),
        *_limits(config),
        *_triggers(config),
        *_incidents(history, model, config),
        *_performance(latest),
        *_labels(config, latest),
        *_trail(history, model),
    ]


def _purpose(config: ModelConfig | None, history: History, model: str) -> list[Block]:
    deployed = [
        said
        for said in history.said
        if said.event.model == model and said.event.type in ("deployed", "promoted")
    ]
    points = _declared(config)
    if config is not None:
        points.append(f"Task: {config.task}; what is at stake: {config.impact.level}.")
    for said in deployed[-10:]:
        event, made = said.event, said.event.deployment
        words = f"Version {event.version} was {event.type} {rfc3339(said.at)}"
        if made is not None and made.offline_metrics:
            figures = ", ".join(f"{k} {v:g}" for k, v in made.offline_metrics.items())
            words += f"; offline {figures}"
        if made is not None and made.git_commit:
            words += f"; commit {made.git_commit}"
        points.append(f"{words}{'. ' + event.note if event.note else ''}")
    if not deployed:
        points.append("Deployments: none were told of.")
    return [Heading("Model"), Points(points)]


def _declared(config: ModelConfig | None) -> list[str]:
    """What whoever answers for the model says of it, and what they have not said."""
    card = Card() if config is None else config.card
    told = {
        "Intended use": card.intended_use,
        "Not for": card.out_of_scope,
        "Known limits": " ".join(card.limits) or None,
        "Contact": card.contact,
    }
    return [f"{name}: {words or 'not declared.'}" for name, words in told.items()]


def _watched(config: ModelConfig | None, latest: list[Reading]) -> list[Block]:
    out: list[Block] = [Heading("What is watched")]
    if config is not None:
        features: Any = config.features
        if features == AUTO:
            out.append(Words("Features: all that come, with types learned from the reference."))
        else:
            important = [name for name, one in features.items() if one.important]
            out.append(Words(f"Features declared: {', '.join(features)}."))
            out.append(Words(f"Important ones: {', '.join(important) or 'none declared'}."))
        tags = ", ".join(one.tag or one.feature or "" for one in config.segments)
        out.append(Words(f"Segments: {tags or 'none; the whole is judged'}."))
    rows = sorted({(one.signal, one.segment, one.detector, one.state) for one in latest})
    if rows:
        out.append(Grid(("signal", "segment", "detector", "state"), rows))
    else:
        out.append(Words("Nothing has been judged yet."))
    return out


def _limits(config: ModelConfig | None) -> list[Block]:
    if config is None:
        return [Heading("Thresholds and budget"), Words("The config is not at hand.")]
    policy, alarms = config.policy, config.false_alarms
    promised = f"{alarms.count:g} per {show_duration(alarms.per)}"
    red, yellow = _limit(policy.effect.red), _limit(policy.effect.yellow)
    low, lower = _limit(policy.metric.yellow), _limit(policy.metric.red)
    hold = show_duration(policy.cool_down)
    return [
        Heading("Thresholds and budget"),
        Words(
            f"False alarms promised: {promised}, over all signals, segments and versions together; "
            "the detectors are set so."
        ),
        Words(
            f"Changes below {config.tolerance:g} reference standard deviations are too small to "
            "matter and raise nothing."
        ),
        Words(
            f"A distribution is yellow from PSI {yellow}, red from {red} (corrected for its bias)."
        ),
        Words(f"A metric is yellow {low} below its baseline, red {lower} below."),
        Words(
            f"Yellow must last {policy.sustained} panes before it opens an incident, red opens one "
            f"at once; it is over after {policy.resolve_after} panes without it, and the same "
            f"signal is held back for {hold} then."
        ),
    ]


def _limit(threshold: Threshold) -> str:
    if threshold.scale == "relative":
        return f"{threshold.value:.1%}"
    return f"{threshold.value:g}{' points' if threshold.scale == 'points' else ''}"


def _triggers(config: ModelConfig | None) -> list[Block]:
    if config is None:
        return []
    retrain, rollback = config.retrain, config.rollback
    points = [
        f"Retraining is asked for: mode {retrain.mode}"
        + (f", schedule {retrain.schedule} {retrain.timezone}" if retrain.schedule else "")
        + f"; by {', '.join(one.replace('_', ' ') for one in retrain.when)}.",
    ]
    points.append(
        f"Not sooner than {show_duration(retrain.min_interval)} after the last, nor below "
        f"{retrain.min_labels:,} labelled rows; approval {retrain.approval}."
    )
    if config.impact.words is not None:
        points.append(config.impact.words[0].upper() + config.impact.words[1:] + ".")
    if rollback.below_baseline is not None:
        points.append(f"Rollback is asked for {rollback.below_baseline:.0%} below the baseline.")
    if rollback.error_spike_within is not None:
        within = show_duration(rollback.error_spike_within)
        points.append(f"Rollback is asked for when errors spike within {within} of a deployment.")
    return [Heading("Triggers"), Points(points)]


def _incidents(history: History, model: str, config: ModelConfig | None) -> list[Block]:
    told = [history.incident(case) for case in history.cases(model)]
    real = [one for one in told if not one["drill"]]
    out: list[Block] = [Heading("Incidents")]
    if not real:
        return [*out, Words("None on record.")]
    verdicts = dict.fromkeys(("true_drift", "false_alarm", "data_issue", "none"), 0)
    for one in real:
        verdicts[one["verdict"] or "none"] += 1
    words = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in verdicts.items())
    out.append(Words(f"{len(real)} on record; verdicts: {words.replace(' none', ' without')}."))
    if config is not None:
        promised = f"{config.false_alarms.count:g} per {show_duration(config.false_alarms.per)}"
        out.append(
            Words(
                f"Promised false alarms: {promised}; called false by people: "
                f"{verdicts['false_alarm']}."
            )
        )
    rows = [
        (
            one["opened_at"],
            one["class"].replace("_", " "),
            one["severity"],
            one["summary"][:_CUT],
            span_of(one["detect_seconds"]),
            span_of(one["recover_seconds"]) if one["closed_at"] else "open",
            (one["verdict"] or "none").replace("_", " "),
            "; ".join(
                f"{name.replace('_', ' ')}: {one[name][:_CUT]}"
                for name in ("root_cause", "resolution", "prevention")
                if one[name]
            ),
        )
        for one in reversed(real)
    ]
    heads = ("opened", "class", "severity", "what", "detected after", "recovered after")
    return [*out, Grid((*heads, "verdict", "learned"), rows)]


def _performance_rows(latest: list[Reading]) -> list[dict[str, Any]]:
    return [
        {
            "metric": one.signal.removeprefix("metric:"),
            "version": one.version,
            "segment": one.segment,
            "measured": one.detector,
            "current": one.effect.current,
            "baseline": one.effect.baseline,
            "rows": one.current.rows,
            "until": one.current.window.end,
        }
        for one in latest
        if one.signal.startswith("metric:")
    ]


def _performance(latest: list[Reading]) -> list[Block]:
    rows = [
        (
            one["metric"],
            one["measured"],
            one["version"],
            one["segment"],
            _figure(one["current"]),
            _figure(one["baseline"]),
            f"{one['rows']:,}",
            one["until"],
        )
        for one in _performance_rows(latest)
    ]
    if not rows:
        return [Heading("Performance"), Words("No labelled performance is known.")]
    heads = ("metric", "measured", "version", "segment", "now", "baseline", "rows", "until")
    return [Heading("Performance by segment and version"), Grid(heads, sorted(rows))]


def _labels(config: ModelConfig | None, latest: list[Reading]) -> list[Block]:
    points = []
    if config is not None and not config.labelled:
        points.append("This model has no labels; performance cannot be measured.")
    elif config is not None:
        points.append(f"A label is waited for {show_duration(config.labels.horizon)}.")
    share = coverage_of(latest)
    points.append(f"Coverage: {'not known' if share is None else f'{share:.0%}'}.")
    delays = [one for one in latest if "delay" in f"{one.signal} {one.monitor}"]
    points += [f"{one.monitor}: {_figure(one.effect.current or one.statistic)}" for one in delays]
    if not delays:
        points.append("Delay: no reading says it.")
    return [Heading("Labels"), Points(points)]


def _audit(history: History, model: str) -> list[dict[str, Any]]:
    """Who said what and when."""
    return [
        {
            "at": rfc3339(said.at),
            "type": said.event.type,
            "author": said.event.author,
            "about": said.event.incident_id or said.event.request_id or said.event.version,
            "verdict": said.event.verdict,
            "note": said.event.note,
        }
        for said in history.said
        if said.event.model == model and said.event.type != "end_of_stream"
    ]


def _trail(history: History, model: str) -> list[Block]:
    rows = [
        (
            one["at"],
            one["type"].replace("_", " "),
            one["author"] or "not said",
            one["about"] or "",
            " ".join(filter(None, (one["verdict"], one["note"])))[:_CUT],
        )
        for one in reversed(_audit(history, model))
    ]
    if not rows:
        return [Heading("Audit trail"), Words("Nobody has said anything yet.")]
    return [Heading("Audit trail"), Grid(("when", "what", "who", "about", "note"), rows)]


def _figure(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
