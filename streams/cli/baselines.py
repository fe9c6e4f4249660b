"""References in files: made of rows, written, read.

Promises: a file is written whole or not at all; one that is none is an error that names it.
Leaves to others: counting the rows (`recordings.reference`), which file belongs to which model
(`configured`).
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from schemas import baseline as baselines
from schemas.baseline import Baseline
from schemas.config import Config
from schemas.config_model import ModelConfig
from streams.cli.endings import REFUSED, UNREACHABLE, OperatorError
from streams.runtime.recordings.mapping import Columns

SUFFIX: Final = ".reference"
"""Of files that `windage reference build` writes."""


def baseline_of_rows(
    path: Path, name: str, model: ModelConfig, config: Config, columns: Columns
) -> Baseline:
    """Grid and reference of a file of rows; FileError or OperatorError if it cannot be used."""
    from streams.learning import Bounds
    from streams.runtime.recordings.reference import build_reference
    from streams.runtime.roles import counting

    try:
        bounds = Bounds(config.limits.segments, config.limits.category_rows)
        return build_reference(name, model, counting(name, model, config), path, columns, bounds)
    except ValueError as error:
        raise OperatorError(f"{path}: {error}", REFUSED) from None


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a reference file."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(baselines.encode(baseline))
    os.replace(part, path)  # noqa: PTH105 - the same call, and says that it is atomic


def read_baseline(path: Path) -> Baseline:
    """Read a reference file."""
    try:
        return baselines.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = f"{path}: is not a reference that this version of windage wrote"
        raise OperatorError(message, REFUSED) from None
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        hint = " (windage reference build makes it)"
        raise OperatorError(f"{path}: {reason}{hint}", UNREACHABLE) from None
