"""The tree keeps the house rules, and each rule is able to see its violation."""

import subprocess

import pytest

from tests.house import (
    FLOORS,
    RULES,
    bad_contents,
    bad_scripts,
    has_a_docstring,
    has_a_floor,
    imports_downward,
    is_short,
    loads_no_code,
    names_say_something,
    no_present_moment,
    no_sideways_organs,
    only_the_kafka_runtime_knows_faust,
    parses,
    pure_floors,
    read_modules,
    windage_stands_alone,
)


@pytest.fixture(scope="module")
def modules(root):
    return read_modules(root)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule, modules):
    """No module of the project breaks the rule."""
    assert [] == [violation for module in modules for violation in rule(module)]


def test_the_rules_see_the_whole_product(modules):
    """Every package of the product was read, so an empty list of violations means something."""
    assert set(FLOORS) <= {module.path.split("/")[0] for module in modules}


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_a_package_carries_its_types(root, package):
    """Each package of the wheel is marked as typed, and is a package."""
    assert (root / package / "py.typed").is_file()
    assert (root / package / "__init__.py").is_file()


def test_scripts_run_and_say_what_they_are_for(root):
    """Each file in scripts/ and .ci/ is executable and begins with a sentence."""
    assert [] == list(bad_scripts(root))


def test_nothing_committed_belongs_to_one_machine(root):
    """No committed file names a path of a particular machine or the host of a registry."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout: nothing here is committed")
    assert [] == list(bad_contents(root))


GUILTY = [
    (has_a_floor, "elsewhere/thing.py", ""),
    (has_a_floor, "loose.py", ""),
    (parses, "detectors/psi.py", "def f(:"),
    (imports_downward, "detectors/psi.py", "import schemas.reading"),
    (imports_downward, "detectors/psi.py", "from schemas import reading"),
    (imports_downward, "schemas/event.py", "def f():\n    from streams.policy import table"),
    (imports_downward, "streams/panes.py", "from streams import profiler"),
    (imports_downward, "streams/panes.py", "from .profiler import Profiler"),
    (imports_downward, "streams/policy/table.py", "from ..monitor import Monitor"),
    (imports_downward, "streams/profiler.py", "import streams.runtime.replay"),
    (imports_downward, "streams/stores/redis.py", "import streams.cli"),
    (imports_downward, "streams/runtime/replay.py", "import windage"),
    (imports_downward, "streams/__init__.py", "from streams.cli import main"),
    (imports_downward, "streams/cli/__init__.py", "import tests.conftest"),
    (imports_downward, "detectors/psi.py", "import importlib\nimportlib.import_module('schemas')"),
    (no_sideways_organs, "streams/panes.py", "from streams.join import Join"),
    (no_sideways_organs, "streams/policy/table.py", "from streams import panes"),
    (no_sideways_organs, "streams/monitor.py", "from streams.profiler import Profiler"),
    (windage_stands_alone, "windage/publisher.py", "from schemas import event"),
    (pure_floors, "detectors/psi.py", "import random"),
    (pure_floors, "schemas/event.py", "from os import environ"),
    (pure_floors, "streams/policy/table.py", "import logging.config"),
    (pure_floors, "streams/monitor.py", "def f():\n    import time"),
    (no_present_moment, "streams/panes.py", "import datetime as d\nd.datetime.now(d.UTC)"),
    (no_present_moment, "schemas/a.py", "from datetime import datetime as dt\nf = dt.utcnow"),
    (no_present_moment, "detectors/a.py", "import numpy as np\nnp.random.default_rng()"),
    (no_present_moment, "detectors/a.py", "hash('age')"),
    (only_the_kafka_runtime_knows_faust, "streams/runtime/embedded.py", "import faust"),
    (only_the_kafka_runtime_knows_faust, "streams/cli/worker.py", "from faust.cli import x"),
    (loads_no_code, "tests/unit/test_a.py", "import pickle"),
    (loads_no_code, "streams/cli/a.py", "import yaml\nyaml.load('', Loader=yaml.Loader)"),
    (loads_no_code, "schemas/config.py", "from yaml import unsafe_load"),
    (loads_no_code, "scripts/a.py", "import numpy\nnumpy.load('a', allow_pickle=True)"),
    (is_short, "detectors/psi.py", "a = 1\n" * 401),
    (is_short, "detectors/psi.py", "def f():\n" + "    a = 1\n" * 70),
    (has_a_docstring, "detectors/psi.py", "# a comment is not one"),
    (names_say_something, "streams/utils.py", ""),
    (names_say_something, "streams/panes.py", "class PaneManager: ..."),
]
INNOCENT = [
    (imports_downward, "streams/cli/demo.py", "import windage, streams.web, detectors, numpy"),
    (imports_downward, "streams/policy/table.py", "from . import reason\nimport schemas"),
    (no_sideways_organs, "streams/policy/table.py", "from .reason import Reason"),
    (no_sideways_organs, "streams/policy/__init__.py", "from .reason import Reason"),
    (no_sideways_organs, "streams/runtime/embedded.py", "from streams.stores import sqlite"),
    (windage_stands_alone, "windage/__init__.py", "import kafka\nfrom windage.aio import a"),
    (pure_floors, "streams/runtime/replay.py", "import time, os"),
    (no_present_moment, "schemas/a.py", "from datetime import datetime\ndatetime.fromtimestamp(0)"),
    (no_present_moment, "detectors/a.py", "import numpy as np\nnp.random.default_rng(7)"),
    (only_the_kafka_runtime_knows_faust, "streams/runtime/kafka.py", "import faust"),
    (only_the_kafka_runtime_knows_faust, "streams/runtime/kafka/log.py", "import faust"),
    (loads_no_code, "schemas/config.py", "import yaml\nyaml.safe_load('')"),
    (is_short, "detectors/psi.py", "def f():\n" + "    a = 1\n" * 69),
    (names_say_something, "streams/data_quality.py", "class DataWindow: ..."),
]


def violations_in(folder, rule, path, source):
    """Write a tree of one module and return what the rule says about it."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(source, "utf-8")
    return [violation for module in read_modules(folder) for violation in rule(module)]


@pytest.mark.parametrize(("rule", "path", "source"), GUILTY)
def test_a_rule_sees_its_violation(tmp_path, rule, path, source):
    """A tree with one violation is reported once, by its path."""
    (violation,) = violations_in(tmp_path, rule, path, source)
    assert violation.startswith(path)


@pytest.mark.parametrize(("rule", "path", "source"), INNOCENT)
def test_a_rule_lets_the_innocent_pass(tmp_path, rule, path, source):
    """A tree that only looks like a violation is not reported."""
    assert [] == violations_in(tmp_path, rule, path, source)


def test_every_rule_has_been_seen_to_fail():
    """No rule is without a guilty example."""
    assert set(RULES) == {rule for rule, _, _ in GUILTY}


def test_a_bad_script_is_seen(tmp_path):
    """A script without permission, interpreter or purpose is reported for each."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "bare").write_text("set -e\n\n")
    assert 3 == len(list(bad_scripts(tmp_path)))


@pytest.mark.parametrize(
    "line",
    ["cd /wo" + "rk/main", "see https://py" + "pi.org/simple", "open('/ro" + "ot/x')"],
)
def test_bad_contents_are_seen(tmp_path, line):
    """A file about to be committed is reported with its line number."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "notes.md").write_text(f"fine: network/work/done\n{line}\n", "utf-8")
    assert [f"notes.md:2: {line}"] == list(bad_contents(tmp_path))
