"""Commands that say something to the product: their options, and nothing else.

Leaves to others: what a command does (the module of its name).
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from streams.cli.options import Bootstrap, ConfigMaybe, DataMaybe, Json, Token, Url, When

Tool = Literal[
    "arize", "bentoml", "evidently", "great-expectations", "kserve", "sagemaker", "seldon"
]
Verdict = Literal["true_drift", "false_alarm", "data_issue"]
Text = Annotated[str | None, typer.Option(help="In your words.", show_default=False)]
ModelName = Annotated[str, typer.Option("--model", "-m", help="Which model.")]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (event, close, label, drill, adapt):
        app.command()(command)
    app.command("label-sample")(label_sample)


def event(  # noqa: PLR0917 - typer passes options by name
    type: Annotated[str, typer.Argument(help="deployed, promoted, silence, annotation, ...")],
    model: ModelName,
    version: Annotated[str | None, typer.Option(help="Of the model.")] = None,
    note: Text = None,
    author: Annotated[str | None, typer.Option(envvar="USER", help="Who says it.")] = None,
    at: When = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="TIME", help="As --at.")] = None,
    until: When = None,
    incident: Annotated[str | None, typer.Option(help="Its id.")] = None,
    request: Annotated[str | None, typer.Option(help="Id of a retrain request.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="What it was.")] = None,
    severity: Annotated[Literal["yellow", "red"] | None, typer.Option(help="How bad.")] = None,
    matcher: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=TEXT", help="signal=..., segment=...")
    ] = None,
    traffic_share: Annotated[float | None, typer.Option(min=0, max=1)] = None,
    root_cause: Text = None,
    resolution: Text = None,
    prevention: Text = None,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Say what happened: a deployment, a retraining, a silence, a missed incident, ..."""
    from streams.cli.places import Place
    from streams.cli.saying import event as run
    from streams.cli.saying import matchers_of

    fields = {
        "type": type,
        "model": model,
        "version": version,
        "note": note,
        "author": author,
        "timestamp": at,
        "from": from_,
        "until": until,
        "incident_id": incident,
        "request_id": request,
        "verdict": verdict,
        "severity": severity,
        "matchers": matchers_of(matcher or ()),
        "traffic_share": traffic_share,
        "root_cause": root_cause,
        "resolution": resolution,
        "prevention": prevention,
    }
    place = Place(config=config, data=data, bootstrap=bootstrap, url=url, token=token)
    run(place, fields, as_json=json)


def close(  # noqa: PLR0917 - typer passes options by name
    incident: Annotated[str, typer.Argument(help="Its id; a prefix does.")],
    verdict: Annotated[Verdict, typer.Option(help="What it was.")],
    root_cause: Text = None,
    resolution: Annotated[
        str | None, typer.Option(help="accept_as_new_normal makes a new reference.")
    ] = None,
    prevention: Text = None,
    note: Text = None,
    author: Annotated[str | None, typer.Option(envvar="USER", help="Who says it.")] = None,
    at: When = None,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Close an incident with a verdict, so that the promised rate can be checked."""
    from streams.cli.places import Place
    from streams.cli.saying import close as run

    fields = {
        "verdict": verdict,
        "root_cause": root_cause,
        "resolution": resolution,
        "prevention": prevention,
        "note": note,
        "author": author,
        "timestamp": at,
    }
    place = Place(config=config, data=data, bootstrap=bootstrap, url=url, token=token)
    run(place, incident, fields, as_json=json)


def label(  # noqa: PLR0917 - typer passes options by name
    model: Annotated[str, typer.Argument(help="Which model.")],
    id: Annotated[str, typer.Argument(help="Of the prediction.")],
    value: Annotated[str, typer.Argument(help="What turned out to be true.")],
    at: When = None,
    annotator: Annotated[str | None, typer.Option(help="Who labelled it.")] = None,
    source: Annotated[
        Literal["truth", "feedback"] | None, typer.Option(help="How it is known.")
    ] = None,
    revision: Annotated[int | None, typer.Option(min=0, help="A higher one corrects.")] = None,
    weight: Annotated[float | None, typer.Option(min=0)] = None,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Say the true outcome of one prediction."""
    from streams.cli.labelling import label as run
    from streams.cli.places import Place

    fields = {
        "model": model,
        "prediction_id": id,
        "label": value,
        "timestamp": at,
        "annotator": annotator,
        "source": source,
        "revision": revision,
        "weight": weight,
    }
    place = Place(config=config, data=data, bootstrap=bootstrap, url=url, token=token)
    run(place, fields, as_json=json)


def label_sample(
    model: Annotated[str, typer.Argument(help="Which model.")],
    size: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    newest: Annotated[int, typer.Option(min=1, help="Of so many records a partition.")] = 20_000,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Which predictions to label: the least confident, and some of every kind."""
    from streams.cli.labelling import sample
    from streams.cli.places import Place

    sample(Place(config=config, data=data, bootstrap=bootstrap), model, size, newest, as_json=json)


def drill(  # noqa: PLR0917 - typer passes options by name
    model: Annotated[str, typer.Argument(help="Which model.")],
    version: Annotated[str, typer.Option(help="Of the model.")] = "drill",
    severity: Annotated[Literal["yellow", "red"], typer.Option(help="How bad.")] = "red",
    rollback: Annotated[bool, typer.Option(help="Ask for a rollback too, to itself.")] = False,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Send a marked incident through the outputs, as an exercise."""
    from streams.cli.drill import run
    from streams.cli.places import Place

    place = Place(config=config, data=data, bootstrap=bootstrap, url=url, token=token)
    run(place, model, version, severity, rollback=rollback, as_json=json)


def adapt(
    tool: Annotated[Tool, typer.Argument(help="Whose log it is.")],
    source: Annotated[str, typer.Argument(metavar="FILE", help="JSON Lines, or - for stdin.")],
    model: Annotated[str | None, typer.Option(help="Where the log names none.")] = None,
    version: Annotated[str | None, typer.Option(help="Instead of the log's.")] = None,
    features: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Names of a nameless row, in order.")
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="A lone number answered is a probability.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A file for each kind, not stdout.")
    ] = None,
) -> None:
    """Turn logs of other tools into predictions, labels, metrics and model events."""
    from streams.adapters.asked import Asked
    from streams.cli.adapt import run

    names = tuple(name.strip() for name in features.split(",")) if features else ()
    asked = Asked(model=model, version=version, features=names, scores=scores)
    run(tool, source, asked, to)
