"""What a package declares is what its modules import: the client library alone stays small."""

import ast
import subprocess
import sys
import tomllib

import pytest

from tests.house import read_modules

OURS = {"detectors", "schemas", "streams", "windage"}
PACKAGE_OF = {
    "faust": "faust-streaming",
    "kafka": "kafka-python",
    "mode": "mode-streaming",
    "opentelemetry": "opentelemetry-exporter-otlp-proto-http",
    "prometheus_client": "prometheus-client",
    "yaml": "pyyaml",
}
WITH_ANOTHER = {"pydantic_core": "pydantic", "yarl": "aiohttp", "dateutil": "croniter"}
"""Modules of packages that come with one that is declared."""

UNDECLARED = {"pandas", "sklearn", "polars"}
"""What a user may have, and is told to install where it is needed."""

UNIMPORTED = {"cramjam", "mode-streaming", "redis"}
"""Used by a package of the list, or by name only."""

SDK = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
from streams.cli import main
sys.argv = ["windage", "replay", "x.csv"]
main()
"""


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]


def names_of(requirements):
    """Names of packages, without versions and extras."""
    return {
        "".join(letter if letter.isalnum() or letter in "-_." else " " for letter in one)
        .split()[0]
        .lower()
        for one in requirements
    }


def imported(root, folder):
    """Packages that the modules of a folder import, anywhere in them."""
    found = set()
    for module in read_modules(root):
        if module.path.split("/")[0] == folder:
            found |= {name.split(".")[0] for _, name in module.imports}
            found |= {name.split(".")[0] for name in imported_by_name(module.tree)}
    found -= OURS | set(sys.stdlib_module_names) | UNDECLARED
    found = {WITH_ANOTHER.get(name, name) for name in found}
    return {PACKAGE_OF.get(name, name) for name in found}


def imported_by_name(tree):
    """Modules that are imported by a text, also as an argument of `to_thread`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
            names = [one.id for one in [node.func, *node.args] if isinstance(one, ast.Name)]
            if "import_module" in names:
                yield from (text for text in texts if isinstance(text, str))


def test_the_client_library_needs_one_package(project):
    """And the client library imports no other, but for its extras."""
    assert {"kafka-python"} == names_of(project["dependencies"])


def test_the_client_library_imports_what_it_declares(root, project):
    """The extras `aio` and `arrow` are its own."""
    extras = project["optional-dependencies"]
    declared = names_of([*project["dependencies"], *extras["aio"], *extras["arrow"]])
    assert declared == imported(root, "windage")


def test_the_server_imports_what_it_declares(root, project):
    """Nothing is missing in the extra `server`, and nothing stands there for nothing."""
    extras = project["optional-dependencies"]
    declared = names_of([*project["dependencies"], *extras["server"]])
    used = set().union(*(imported(root, folder) for folder in OURS - {"windage"}))
    optional = names_of(
        [one for name, some in extras.items() if name not in ("server", "aio") for one in some]
    )
    assert set() == used - declared - optional
    assert set() == declared - used - UNIMPORTED


def test_a_command_without_the_server_says_what_to_install(root, tmp_path):
    """Whoever installed the client library alone types `windage` sooner or later."""
    done = subprocess.run(
        [sys.executable, "-c", SDK.format(absent=["typer", "msgspec", "pydantic"])],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert ["pip install 'windage[server]'"] == [
        line.partition("missing): ")[2] for line in done.stderr.splitlines()
    ]
