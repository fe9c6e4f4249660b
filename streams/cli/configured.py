"""The configuration of a command, and the references it names.

Promises: a config that cannot be read is a file that cannot be reached; a reference file is
either one that `reference build` wrote, or rows to make one of; paths in the config start at the
config's own folder.
Leaves to others: what is allowed (`schemas.load`), making references (`recordings.reference`).
"""

import os
from pathlib import Path

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.config_model import FromFile, ModelConfig
from schemas.vocabulary import UNNAMED
from streams.cli.baselines import SUFFIX, baseline_of_rows, read_baseline
from streams.cli.endings import REFUSED, UNREACHABLE, OperatorError


def load_config(path: Path) -> Config:
    """The config in a file; ConfigError with every problem in it."""
    from schemas.load import load

    try:
        return load(str(path), os.environ, _read_text)
    except OSError as error:
        hint = " (windage init writes one)" if isinstance(error, FileNotFoundError) else ""
        message = f"{path}: {(error.strerror or 'cannot be read').lower()}{hint}"
        raise OperatorError(message, UNREACHABLE) from None


def choose_model(config: Config, name: str | None) -> tuple[str, ModelConfig]:
    """The model a command is about: the named one, or the only one."""
    from difflib import get_close_matches

    named = [name for name in config.models if name != UNNAMED]
    if name is None:
        if not named:
            raise OperatorError("which model? The config names none: say --model", REFUSED)
        if len(config.models) != 1:
            known = ", ".join(named)
            raise OperatorError(f"which model? Say --model with one of: {known}", REFUSED)
        name = named[0]
    model = config.model(name)
    if model is None:
        near = get_close_matches(name, named, n=1, cutoff=0.4)
        hint = f'; did you mean "{near[0]}"?' if near else f"; it has {', '.join(named)}"
        raise OperatorError(f'the config has no model "{name}"{hint}', REFUSED)
    return name, model


def load_baselines(config: Config, folder: Path) -> dict[str, Baseline]:
    """The references that models have in files, by model; `folder` is that of the config."""
    found = {}
    for name, model in config.models.items():
        if isinstance(model.reference, FromFile):
            found[name] = load_baseline(folder / model.reference.path, name, model, config)
    return found


def load_baseline(path: Path, name: str, model: ModelConfig, config: Config) -> Baseline:
    """The reference of a model in a file, made of its rows if it holds rows."""
    from schemas.config_model import config_hash

    if path.suffix != SUFFIX:
        from streams.runtime.recordings.mapping import Columns

        return baseline_of_rows(path, name, model, config, Columns())
    baseline = read_baseline(path)
    if baseline.model != name:
        raise OperatorError(f"{path}: is of model {baseline.model}, not {name}", REFUSED)
    if baseline.grid.counted != config_hash(model):
        message = f"{path}: was made with another config of {name}; build it again"
        raise OperatorError(message, REFUSED)
    return baseline


def _read_text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")
