"""The house rules as functions from source to violations: floors, bans, sizes, contents.

A rule takes one module and yields a sentence per violation, with path and line. `test_house.py`
runs the rules, over the real tree and over tiny guilty ones; this file decides nothing else.
"""

import ast
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

FLOORS = {"detectors": 1, "schemas": 2, "streams": 3, "windage": None}
STREAMS = {
    "runtime": 5,
    "stores": 5,
    "sinks": 5,
    "cli": 6,
    "web": 6,
    "notebook": 6,
    "profiler": 4,
    "monitor": 4,
}
OUTSIDE = {"tests", "scripts", "examples", "docs"}  # no floor: nothing of ours may import them
PURE = {1, 2, 3, 4}  # floors without clock, socket, file, logger, thread, or chance
IMPURE = {
    *("time", "os", "random", "asyncio", "logging", "uuid", "threading", "faust", "mode"),
    *("secrets", "socket", "selectors", "subprocess", "multiprocessing", "concurrent", "sqlite3"),
    *("kafka", "aiokafka", "redis", "aiohttp"),
}
CODE_LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
YAML_LOADS = {"load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all"}
EMPTY_WORDS = {"data", "info", "manager", "handler", "helper", "util"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70

# Written with breaks so that this file does not hold what it looks for.
NOT_COMMITTED = re.compile(
    r"(?<![\w.])/(?:wo[r]k|ro[o]t|opt/wh[e]els|tmp/br[i]ef)/?\b"
    r"|py[p]i\.org|python[h]osted\.org|repo1?\.ma[v]en\.|registry\.np[m]js\.org"
    r"|--(?:extra-)?ind[e]x-url (?!\$)\S*//"
)


@dataclass(frozen=True)
class Module:
    """One Python file: its path inside the tree, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax, empty where there is an error in it: then only one rule complains."""
        try:
            return ast.parse(self.text, self.path)
        except SyntaxError:
            return ast.Module([ast.Expr(ast.Constant("unreadable"))], [])

    @property
    def name(self) -> str:
        parts = list(PurePosixPath(self.path).with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Every imported dotted name with its line, also nested, relative or by a string."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
            elif isinstance(node, ast.Call) and node.args:
                called, first = last_name(node.func), node.args[0]
                if called in {"import_module", "__import__"} and isinstance(first, ast.Constant):
                    found.append((node.lineno, str(first.value)))
        return found

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        # The package of a module is its folder, and that of an __init__ is itself: both the path.
        folder = PurePosixPath(self.path).parts[: -node.level]
        return ".".join([*folder, *([node.module] if node.module else [])])


Rule = Callable[[Module], Iterator[str]]


def last_name(node: ast.expr) -> str:
    """Return `c` of an expression `a.b.c` or `c`."""
    return getattr(node, "attr", "") or getattr(node, "id", "")


def room(dotted: str) -> str:
    """Return the unit that must not reach sideways: an organ or a machine, else the package."""
    parts = dotted.split(".")
    return ".".join(parts[:2]) if parts[0] == "streams" else parts[0]


def floor(dotted: str) -> int | None:
    """Return the floor of a module of ours; None for `windage`; LookupError for any other."""
    parts = dotted.split(".")
    if parts[0] == "streams":
        return 0 if len(parts) == 1 else STREAMS.get(parts[1], 3)
    return FLOORS[parts[0]]


def ours(module: Module) -> list[tuple[int, str]]:
    return [(line, name) for line, name in module.imports if name.split(".")[0] in FLOORS]


def is_product(module: Module) -> bool:
    return module.path.split("/")[0] in FLOORS


def has_a_floor(module: Module) -> Iterator[str]:
    """A module stands in a known place."""
    if module.path.split("/")[0] not in {*FLOORS, *OUTSIDE}:
        yield f"{module.path}: no floor is known for this place"


def parses(module: Module) -> Iterator[str]:
    """A module is Python, so that the other rules can see into it."""
    try:
        ast.parse(module.text, module.path)
    except SyntaxError as error:
        yield f"{module.path}:{error.lineno}: {error.msg}"


def imports_downward(module: Module) -> Iterator[str]:
    """Nothing imports a higher floor, and nothing of ours imports tests, scripts or examples."""
    if not is_product(module):
        return
    here = floor(module.name)
    for line, name in module.imports:
        top = name.split(".")[0]
        if top in OUTSIDE - {"docs"}:
            yield f"{module.path}:{line}: imports {name}, which does not travel with the product"
        if here is None or top not in FLOORS:
            continue
        there = floor(name)
        if (there is None and here < max(STREAMS.values())) or (there or 0) > here:
            yield f"{module.path}:{line}: floor {here} imports {name}"


def no_sideways_organs(module: Module) -> Iterator[str]:
    """Organs do not import each other, nor do the two machines; inside one package they may."""
    if not is_product(module) or floor(module.name) not in {3, 4}:
        return
    for line, name in ours(module):
        if floor(name) == floor(module.name) and room(name) != room(module.name):
            yield f"{module.path}:{line}: {room(module.name)} imports its neighbour {room(name)}"


def windage_stands_alone(module: Module) -> Iterator[str]:
    """The client library imports nothing of the rooms."""
    if module.path.startswith("windage/"):
        for line, name in ours(module):
            if room(name) != "windage":
                yield f"{module.path}:{line}: the client library imports {name}"


def pure_floors(module: Module) -> Iterator[str]:
    """Floors 1-4 import no clock, socket, logger, thread or chance."""
    if is_product(module) and floor(module.name) in PURE:
        for line, name in module.imports:
            if name.split(".")[0] in IMPURE:
                yield f"{module.path}:{line}: imports {name} on floor {floor(module.name)}"


def no_present_moment(module: Module) -> Iterator[str]:
    """Floors 1-4 do not ask for the time, an unseeded generator, or the salted hash."""
    if not is_product(module) or floor(module.name) not in PURE:
        return
    dates = {"datetime", "date"}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "datetime":
            dates |= {alias.asname for alias in node.names if alias.asname}
    for node in ast.walk(module.tree):
        match node:
            case ast.Attribute(attr="now" | "utcnow" | "today") if last_name(node.value) in dates:
                yield f"{module.path}:{node.lineno}: asks for the present time"
            case ast.Call(args=[], keywords=[]) if last_name(node.func) == "default_rng":
                yield f"{module.path}:{node.lineno}: a generator without a seed"
            case ast.Call(func=ast.Name(id="hash")):
                yield f"{module.path}:{node.lineno}: hash() differs from process to process"


def only_the_kafka_runtime_knows_faust(module: Module) -> Iterator[str]:
    """Faust stays behind one door."""
    if is_product(module) and module.name.split(".")[:3] != ["streams", "runtime", "kafka"]:
        for line, name in module.imports:
            if name.split(".")[0] == "faust":
                yield f"{module.path}:{line}: imports {name}"


def loads_no_code(module: Module) -> Iterator[str]:
    """No pickle and its kin; YAML only through safe_load."""
    for line, name in module.imports:
        top, _, member = name.partition(".")
        if top in CODE_LOADERS or (top == "yaml" and member in YAML_LOADS):
            yield f"{module.path}:{line}: imports {name}"
    for node in ast.walk(module.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="yaml"), attr=call) if call in YAML_LOADS:
                yield f"{module.path}:{node.lineno}: yaml.{call}"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=False)):
                pass
            case ast.keyword(arg="allow_pickle"):
                yield f"{module.path}:{node.value.lineno}: allow_pickle"


def is_short(module: Module) -> Iterator[str]:
    """Files and functions fit into a head."""
    lines = module.text.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{module.path}: {lines} lines"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{module.path}:{node.lineno}: {node.name} has {length} lines"


def has_a_docstring(module: Module) -> Iterator[str]:
    """Each module begins with what it is for."""
    if not ast.get_docstring(module.tree):
        yield f"{module.path}: no docstring"


def names_say_something(module: Module) -> Iterator[str]:
    """No module or class of the product is at heart a data, info, manager, handler, helper, util.

    The last word says what a thing is: a DataWindow is a window, and the contract calls it so.
    """
    if not is_product(module):
        return
    names = [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    for name in [module.name.rpartition(".")[2], *names]:
        words = re.findall(r"[A-Z]?[a-z]+", name)
        if words and words[-1].lower() in {*EMPTY_WORDS, *(f"{word}s" for word in EMPTY_WORDS)}:
            yield f"{module.path}: {name} says nothing"


RULES: list[Rule] = [
    has_a_floor,
    parses,
    imports_downward,
    no_sideways_organs,
    windage_stands_alone,
    pure_floors,
    no_present_moment,
    only_the_kafka_runtime_knows_faust,
    loads_no_code,
    is_short,
    has_a_docstring,
    names_say_something,
]


def read_modules(root: Path) -> list[Module]:
    """Read every Python file of the tree, hidden folders and build results left out."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f[0] != "." and f not in {"build", "dist", "work"}]
        for name in names:
            path = Path(folder, name)
            if name.endswith(".py"):
                found.append(Module(path.relative_to(root).as_posix(), path.read_text("utf-8")))
    return sorted(found, key=lambda module: module.path)


def bad_scripts(root: Path) -> Iterator[str]:
    """Yield scripts that cannot be run, or do not begin with what they are for."""
    for script in sorted([*(root / "scripts").glob("*"), *(root / ".ci").glob("*")]):
        if script.is_dir() or script.suffix:
            continue  # a module or file that scripts use
        first, second, *_ = [*script.read_text("utf-8").split("\n"), "", ""]
        if not os.access(script, os.X_OK):
            yield f"{script.name}: not executable"
        if not first.startswith("#!"):
            yield f"{script.name}: no interpreter line"
        if not re.match(r'(# |""")\w+', second):
            yield f"{script.name}: the second line does not say what it is for"


def bad_contents(root: Path) -> Iterator[str]:
    """Yield committed lines (and those about to be) that hold only on one machine."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout
    for name in sorted(filter(None, listed.decode().split("\0"))):
        path = root / name
        if not path.is_file() or b"\0" in (content := path.read_bytes()):
            continue  # deleted in the work tree, or binary
        for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
            if NOT_COMMITTED.search(line):
                yield f"{name}:{number}: {line.strip()[:80]}"
