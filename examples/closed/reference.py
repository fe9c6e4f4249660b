"""What was before the loop begins: labelled people, and how the first version does on them.

Promises: the reference is made by `windage reference build`, of rows the model was not trained on.
"""

import csv
import gzip
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from closed.serving import features_of
from closed.training import Model
from closed.world import LABEL, REFERENCE, People, people_of


def past() -> People:
    """The people of 2014 and 2015, all labelled."""
    with gzip.open(REFERENCE, "rt", newline="") as lines:
        return people_of(list(csv.DictReader(lines)))


def prepare(
    scratch: Path, config: Path, people: People, model: Model, command: Sequence[str]
) -> Path:
    """A folder with the config and the reference it names; gives the config's path."""
    copied = scratch / config.name
    shutil.copy(config, copied)
    rows = scratch / "reference.csv"
    scores = model.scores(people.features)
    columns: dict[str, Sequence[object]] = {
        "id": people.ids,
        **features_of(people),
        LABEL: people.labels.tolist(),
        "prediction": [int(score > 0.5) for score in scores],  # noqa: PLR2004 - more likely than not
        "predicted_probability": scores.tolist(),
    }
    with rows.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    names = ["--prediction", "prediction", "--score", "predicted_probability", "--label", LABEL]
    build = [*command, "reference", "build", str(rows), "--config", str(copied), "--id", "id"]
    done = subprocess.run([*build, *names], check=False, capture_output=True, text=True)  # noqa: S603 - our own program
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return copied
