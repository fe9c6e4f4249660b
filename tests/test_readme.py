"""What the documentation shows is run, so that it stays true.

The convention, for README.md and docs/**/*.md:

- ```python   is run; the blocks of one page share their names, in order, as a reader would type;
- ```py       is only compiled: it needs something a test has not, such as a broker;
- ```console  each line after "$ " is run by bash ("> " continues it) and must succeed; lines below
              it, if any, must be its output, where "..." stands for anything. The blocks of a page
              share a folder, in order, that looks like the checkout and may be written to;
- ```yaml     is a configuration, or a part of one or of a model, and must be valid;
- ```shell and every other language is only shown.
"""

import base64
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from schemas.config import Config
from schemas.config_error import ConfigError
from schemas.config_model import ModelConfig
from schemas.load import load_text
from tests.conftest import ROOT

PAGES = [
    page
    for page in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted(ROOT.glob("docs/**/*.md")),
    ]
    if page.exists()
]
FENCE = re.compile(
    r"^(?P<fence>```+|~~~+) *(?P<language>[\w+-]*)[^\n]*\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
SECONDS = 120


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; `line` is where its first line stands."""

    page: Path
    line: int
    language: str
    text: str


def blocks(page):
    """Return the fenced blocks of a page in order."""
    text = page.read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, found["language"], found["text"])
        for found in FENCE.finditer(text)
    ]


def run(command, folder):
    """Run a command with this environment's programs first; return (exit code, output)."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def python_failure(page, folder):
    """Run the python blocks of a page in `folder`; return what went wrong, or nothing."""
    source = ""
    for block in blocks(page):
        if block.language == "python":  # kept at its line, so that a traceback names the page's
            source += "\n" * (block.line - 1 - source.count("\n")) + block.text
    program = "import sys; exec(compile(sys.argv[2], sys.argv[1], 'exec'))"
    code, output = run([sys.executable, "-W", "error", "-c", program, str(page), source], folder)
    return output if code else ""


def commands(block):
    """Return (command, expected output) for each "$ " line of a console block."""
    found = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        elif found and line.strip():
            found[-1][1].append(line.rstrip())
    return [(command, "\n".join(output)) for command, output in found]


def console_failure(block, folder):
    """Run the commands of a console block in `folder`; return what went wrong, or nothing."""
    for command, expected in commands(block):
        code, output = run(["bash", "-o", "pipefail", "-c", command], folder)
        if code:
            return f"{command}\nended with {code}:\n{output}"
        pattern = ".*".join(re.escape(part) for part in expected.split("..."))
        shown = "\n".join(line.rstrip() for line in output.splitlines() if line.strip())
        if expected and not re.fullmatch(pattern, shown, re.DOTALL):
            return f"{command}\nprinted:\n{shown}\nand not:\n{expected}"
    return ""


def broken_links(page):
    """Return the relative links of a page that lead nowhere."""
    targets = LINK.findall(page.read_text("utf-8"))
    return [target for target in targets if not (page.parent / target).exists()]


def named(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_python_blocks_run(page, tmp_path):
    """A reader who types the Python blocks of a page one after the other sees no error."""
    assert "" == python_failure(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_blocks_to_read_are_python(page):
    """A Python block that is only shown at least compiles."""
    for block in blocks(page):
        if block.language == "py":
            assert compile("\n" * (block.line - 1) + block.text, str(page), "exec")


def shown(page, language):
    """The blocks of a page in one language."""
    return [block for block in blocks(page) if block.language == language]


@pytest.fixture
def checkout(tmp_path):
    """A folder in which the files of the checkout are found, and which may be written to."""
    for path in ROOT.iterdir():
        if path.name != ".git" and not path.name.startswith("windage-"):
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page, "console")], ids=named)
def test_console_blocks_run(page, checkout):
    """Commands shown with their prompt succeed, in order, and print what stands below them."""
    for block in shown(page, "console"):
        assert commands(block), f"line {block.line}: without a `$ ` line nothing is run"
        assert "" == console_failure(block, checkout), f"line {block.line}"


def secret_of(name):
    """A secret of each variable and file: long enough for all, and a key that can sign."""
    return "whsec_" + base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def config_problems(text):
    """What is wrong with a configuration, a part of one, or a part of a model; as texts."""
    told = yaml.safe_load(text)
    if set(told) <= set(ModelConfig.model_fields):
        told = {"models": {"m": {"task": "binary", **told}}}
    elif set(told) <= set(Config.model_fields):
        told.setdefault("models", {"m": {"task": "binary"}})
    environment = {name: secret_of(name) for name in re.findall(r"\$\{(\w+)", text)}
    try:
        load_text(yaml.safe_dump(told, sort_keys=False), environment, secret_of)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_configurations_are_valid(page):
    """Whoever copies a piece of configuration from a page is not told of a mistake."""
    for block in shown(page, "yaml"):
        assert [] == config_problems(block.text), f"line {block.line}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("labels: {horizn: 1d}", "horizon"),
        ("kafka: {bootstrap: broker.example}", "host:port"),
        ("models: {m: {task: binry}}", "binary"),
    ],
)
def test_a_wrong_configuration_is_reported(text, complaint):
    """Whether it is one, a part of one, or a part of a model."""
    assert any(complaint in problem for problem in config_problems(text))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    """Each relative link of a page names a file of the project."""
    assert [] == broken_links(page)


def test_the_readme_names_the_two_commands():
    """A newcomer finds the two commands that show and prove the product, and they exist."""
    if not (ROOT / "README.md").exists():
        pytest.skip("there is no README yet")
    text = (ROOT / "README.md").read_text("utf-8")
    for command in ("scripts/demo", "scripts/test"):
        assert command in text
        assert (ROOT / command).is_file()


def page_of(folder, text):
    """Write a page of documentation for the tests of this file."""
    page = folder / "page.md"
    page.write_text(text, "utf-8")
    return page


def test_a_wrong_python_block_is_reported_at_its_line(tmp_path):
    """The traceback names the line of the page, and blocks share their names."""
    page = page_of(tmp_path, "# T\n\n```python\na = 1\n```\n\n```python\nassert a\nnope\n```\n")
    failure = python_failure(page, tmp_path)
    assert "page.md" in failure
    assert "line 9" in failure
    assert "NameError" in failure


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("$ false", "ended with 1"),
        ("$ false | cat", "ended with 1"),
        ("$ echo one\ntwo", "and not:\ntwo"),
        ("$ echo one\none\n$ exit 7", "ended with 7"),
    ],
)
def test_a_wrong_console_block_is_reported(tmp_path, text, complaint):
    """A command that fails, or prints something else, is reported."""
    (block,) = blocks(page_of(tmp_path, f"```console\n{text}\n```\n"))
    assert complaint in console_failure(block, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "$ echo one",
        "$ echo one 2\none ...",
        "$ echo \\\n>   one\none",
        "$ printf 'a\\n\\nb'\na\nb",
    ],
)
def test_a_right_console_block_passes(tmp_path, text):
    """Output may be left out, shortened, or follow a continued line."""
    (block,) = blocks(page_of(tmp_path, f"```console\n{text}\n```\n"))
    assert "" == console_failure(block, tmp_path)


def test_a_broken_link_is_reported(tmp_path):
    """Only relative links are looked for, and anchors are left aside."""
    page = page_of(tmp_path, "[a](page.md#x) [b](https://example.org/no) [c](#y) [d](gone.md)")
    assert ["gone.md"] == broken_links(page)
