"""What the source must not do, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("detectors", "schemas", "streams", "windage")
UNSAFE = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def nodes(kind):
    """Return (path and line, node) of every node of a kind in the product."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_there_is_something_to_read():
    assert len(FILES) > 150


def test_nothing_is_unpickled():
    """No module that runs what it reads is imported anywhere."""
    found = [
        (where, alias.name)
        for where, node in nodes(ast.Import)
        for alias in node.names
        if alias.name.partition(".")[0] in UNSAFE
    ]
    found += [
        (where, node.module)
        for where, node in nodes(ast.ImportFrom)
        if (node.module or "").partition(".")[0] in UNSAFE
    ]
    assert [] == found


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"), ("os", "system"),
        ("ssl", "_create_unverified_context"), ("numpy", "load"), ("np", "load"),
        ("tempfile", "mktemp"),
    ],
)  # fmt: skip
def test_nothing_unsafe_is_called(owner, name):
    """Each has a safe sister."""
    found = [
        where
        for where, node in nodes(ast.Attribute)
        if node.attr == name and isinstance(node.value, ast.Name) and node.value.id == owner
    ]
    assert [] == found


def test_nothing_is_evaluated():
    """Neither eval nor exec, nor a shell."""
    calls = [
        where
        for where, node in nodes(ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec", "__import__")
    ]
    shells = [
        where
        for where, node in nodes(ast.keyword)
        if node.arg == "shell"
        and not (isinstance(node.value, ast.Constant) and not node.value.value)
    ]
    assert [] == calls + shells
