"""`windage init`: a configuration that fits a sample of predictions.

Promises: what is written passes `windage validate`; nothing is replaced without --force; every
feature stands in it by name and type, to be looked over by a person.
Leaves to others: what a sample says (`inference`), types of features (`learning`).
"""

import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import yaml

from schemas.config_model import ModelConfig
from schemas.durations import show_duration
from streams.cli.configured import load_config
from streams.cli.console import emit_object, say
from streams.cli.endings import REFUSED, OperatorError
from streams.cli.guessing import guess
from streams.cli.inference import (
    NAME,
    Sample,
    every_of,
    in_words,
    infer_model,
    limits_for,
    validated,
    without_roles,
)
from streams.learning import build_grid
from streams.runtime.recordings.files import open_table
from streams.runtime.recordings.mapping import Columns, assign
from streams.runtime.recordings.recording import Recording
from streams.runtime.recordings.sample import learning_rows

SCHEMA: Final = "windage.schema.json"
"""Written beside the config, so that an editor can complete and check it."""

_ROLES: Final = {
    "id": "column of the id",
    "timestamp": "column of the time",
    "prediction": "column of the prediction",
    "score": "column of its score",
    "label": "column of the true label",
}

_HEAD: Final = f"""# yaml-language-server: $schema={SCHEMA}
# Written by `windage init` from {{sample}}.
# Types of features were guessed from {{rows:,}} rows: look them over.
"""


def run(
    sample_path: Path,
    to: Path,
    model_name: str | None,
    columns: Columns,
    *,
    every: str | None,
    force: bool,
    asks: bool,
    as_json: bool,
) -> None:
    """Write the config, and its schema beside it; with `asks` a person decides what is what."""
    from schemas.generate import config_schema, show

    if to.exists() and not force:
        raise OperatorError(f"{to}: is there already (--force replaces it)", REFUSED)
    name = model_name or open_table(sample_path).model or NAME
    found = guess(sample_path, without_roles(columns, every_of(every)))
    wanted = found.columns
    for note in found.notes:
        say(note)
    if asks:
        wanted = _asked(sample_path, wanted)
    recording = Recording(sample_path, model=name, columns=wanted)
    model = infer_model(Sample(recording), {})
    # A service goes by the broker's clock, with room for what is on its way.
    model |= {"clock": "broker", "lateness": "30s", "pane": _pane(model["pane"])}
    model["reference"] = {"from": "first", "rows": 5_000}
    first = next(iter(Recording(sample_path, model=name, columns=wanted).chunks()))
    rows = learning_rows(first.entries["predictions"].values)
    grid = build_grid(name, validated(model, sample_path), rows)
    model["features"] = {feature.name: feature.type for feature in grid.features}
    text = _HEAD.format(sample=sample_path.name, rows=len(rows.predictions))
    document = {"version": 1, **limits_for(recording.columns), "models": {name: model}}
    text += yaml.safe_dump(document, sort_keys=False)
    to.write_text(text, encoding="utf-8")
    (to.parent / SCHEMA).write_text(show(config_schema()), encoding="utf-8")
    load_config(to)
    if as_json:
        told = {"config": str(to), "model": name, "columns": recording.columns}
        emit_object({**told, "settings": model, "notes": found.notes})
    said = in_words(model["task"], recording.columns, len(grid.features))
    say(f"{to}: model {name}, {said}")
    if model["task"] == "none":
        say("no predictions, so errors are not seen: say --prediction COLUMN if one is")
    quoted = shlex.quote(str(sample_path))
    say(f"next: windage replay {quoted} --report report.html, to see what it would have said")
    say(f"then: windage serve --config {to}")


def _asked(path: Path, guessed: Columns) -> Columns:
    """The roles as a person says, the features without those."""
    from msgspec.structs import replace

    names = open_table(path).columns
    found = ask(assign(names, guessed, str(path)), names)
    roles = {getattr(found, role) for role in _ROLES}
    return replace(found, features=tuple(one for one in found.features if one not in roles))


def ask(columns: Columns, names: Sequence[str]) -> Columns:
    """The columns as a person at the terminal names them; Enter takes what was guessed."""
    from msgspec.structs import replace
    from typer import prompt

    told: dict[str, str | None] = {}
    for role, meaning in _ROLES.items():
        known = getattr(columns, role)
        while True:
            said = prompt(f"{meaning} (- for none)", default=known or "-", err=True).strip()
            if said == "-" or said in names:
                break
            near = get_close_matches(said, names, n=1, cutoff=0.4)
            say(f"no column {said}; " + (f"did you mean {near[0]}?" if near else ", ".join(names)))
        told[role] = None if said == "-" else said
    return replace(columns, **told)


def _pane(inferred: str) -> str:
    """A pane of a live service: a minute at least."""
    from schemas.durations import parse_duration

    least: int = ModelConfig.model_fields["pane"].default
    return show_duration(max(least, parse_duration(inferred)))
