"""The notebook's cells say today what is printed below them.

They are run as plain Python, without Jupyter (`scripts/notebook` has a real kernel): what a cell
prints, and the text of its last line, must be what the file holds.
"""

import ast
import contextlib
import io
import json

import pytest

LARGEST = 120_000
"""Bytes: a notebook is read in a browser."""


def cells_of(path):
    """Code of each cell, and its output as text."""
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            told = [one for one in cell["outputs"] if one.get("name") != "stderr"]
            texts = ["".join(one.get("text") or one["data"]["text/plain"]) for one in told]
            yield "".join(cell["source"]), "".join(texts).rstrip()


def run(code, names):
    """Run a cell; gives what it prints and what its last line is."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(tree, "cell", "exec"), names)  # noqa: S102 - our own cells
        if last is not None:
            expression = compile(ast.Expression(last.value), "cell", "eval")
            value = eval(expression, names)  # noqa: S307 - as above
            said.write("" if value is None else f"{value}\n")
    return said.getvalue().rstrip()


@pytest.fixture
def notebook(root, monkeypatch):
    """Return the notebook, from the folder that its paths begin at."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    monkeypatch.chdir(root / "examples" / "notebook")
    return root / "examples" / "notebook" / "employment.ipynb"


def test_the_cells_say_what_stands_below_them(notebook):
    """And no cell stands there that was never executed."""
    names = {}
    pairs = list(cells_of(notebook))
    assert len(pairs) > 5
    for code, expected in pairs:
        assert expected != ""
        assert expected == run(code, names)


def test_the_report_is_in_it_and_it_is_small(notebook):
    """As one frame without a script, that asks nothing of any network."""
    text = notebook.read_text("utf-8")
    assert len(text.encode()) < LARGEST
    (html,) = [
        "".join(one["data"]["text/html"])
        for cell in json.loads(text)["cells"]
        for one in cell.get("outputs", [])
        if "<iframe" in "".join(one.get("data", {}).get("text/html", ""))
    ]
    assert 'sandbox=""' in html
    assert "<script" not in html
    assert "default-src" in html
