"""The pages of docs/reference say what the types say, and every key of the config has words."""

import subprocess
import sys

from schemas.config_values import Part
from schemas.config_words import WORDS
from schemas.generate import config_schema


def reference(root, folder, *arguments):
    """Run the program that writes the pages, in a folder."""
    return subprocess.run(
        [sys.executable, root / "scripts" / "reference.py", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(root), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_pages_are_those_of_the_types(root):
    """Whoever changes a type or a command runs scripts/reference."""
    done = reference(root, root, "--check")
    assert ("", 0) == (done.stderr, done.returncode)


def test_a_stale_page_is_seen(root, tmp_path):
    """One changed word; and a page that is not there."""
    assert 0 == reference(root, tmp_path).returncode
    page = tmp_path / "docs" / "reference" / "config.md"
    assert "| `pane` | text | `1m` |" in page.read_text()
    page.write_text(page.read_text().replace("`1m`", "`2m`"))
    (tmp_path / "docs" / "reference" / "events.md").unlink()
    done = reference(root, tmp_path, "--check")
    assert 1 == done.returncode
    assert ["config.md", "events.md"] == [
        line.partition(" is stale")[0].split("/")[-1] for line in done.stderr.splitlines()
    ]


def test_every_key_of_the_config_has_words():
    """And no words are left of a key that is gone."""
    keys = {
        part.__name__: {field.alias or name for name, field in part.model_fields.items()}
        for part in Part.__subclasses__()
        if part.model_fields
    }
    assert keys == {name: set(words) for name, words in WORDS.items()}


def test_words_are_in_the_schema_that_editors_read():
    """An editor shows them beside the key."""
    pane = config_schema()["$defs"]["ModelConfig"]["properties"]["pane"]
    assert WORDS["ModelConfig"]["pane"] == pane["description"]
