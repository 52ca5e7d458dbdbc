"""The rules of the house: what is public, what loads when, who may import whom, how large a room may be."""

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from functools import cache
from pathlib import Path

import pytest

import orchestrator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "orchestrator"
FILES = sorted(PACKAGE.rglob("*.py"))
OUR_CODE = [
    path
    for folder in ("orchestrator", "tests", "scripts", "benchmarks", "selectors", "integrations")
    for path in sorted((ROOT / folder).rglob("*.py"))
]

# a room may import from its own floor's room and from the floors below
FLOORS = [
    {"conduct", "errors", "core"},
    {"selectors", "caches", "integrations", "settings"},
    {"models", "state"},
    {"catalog", "evaluation", "telemetry"},
    {"api", "adapters", "batch", "gateway", "cli", "__main__", "contracts"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
QUARTERS = FLOORS[1]  # rooms of this floor do not know each other
HEAVY = (
    "aiohttp",
    "anyio",
    "matplotlib",
    "numpy",
    "openai",
    "anthropic",
    "pydantic",
    "redis",
    "rich",
    "scipy",
    "typer",
    "yaml",
)
MOST_LINES, MOST_FUNCTION_LINES = 400, 60


@cache
def tree_of(path):
    """The file, parsed once."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def here(path):
    """The path as people write it."""
    return path.relative_to(ROOT).as_posix()


def python(code):
    """What a fresh interpreter prints when it runs this from the repository's root."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# what is public


def test_the_public_list_is_sorted_and_free_of_doubles():
    """One list, in order, so that an addition is a line and a choice."""
    assert orchestrator.__all__ == sorted(set(orchestrator.__all__))


@pytest.mark.parametrize("name", orchestrator.__all__)
def test_each_public_name_resolves(name):
    """What is promised in the list is there, and dir() shows it."""
    assert getattr(orchestrator, name) is not None
    assert name in dir(orchestrator)


def test_an_unknown_name_is_an_attribute_error():
    """Lazy loading answers as a plain module would."""
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = orchestrator.no_such_thing


def test_type_checkers_and_the_interpreter_see_the_same_names():
    """The imports for type checkers, the table for loading and the public list agree, name by name and home by home."""
    guarded = next(node for node in tree_of(PACKAGE / "__init__.py").body if isinstance(node, ast.If))
    typed = {
        alias.name: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert typed == orchestrator._HOME_OF
    assert set(typed) | {"__version__"} == set(orchestrator.__all__)


# what loads when


def test_importing_the_package_loads_nothing_heavy():
    """`import orchestrator` costs neither a library nor a provider: not even a room of its own."""
    loaded = json.loads(python("import json, sys, orchestrator; print(json.dumps(list(sys.modules)))"))
    assert [name for name in loaded if name.partition(".")[0] in HEAVY or name.startswith("orchestrator.")] == []


def test_the_folders_at_the_root_shadow_no_standard_module():
    """`selectors/` and `integrations/` are folders to read in, never packages; asyncio needs the real `selectors`."""
    for folder in ("selectors", "integrations"):
        assert (ROOT / folder).is_dir()
        assert not (ROOT / folder / "__init__.py").exists()
    assert python("import asyncio, selectors; print(selectors.DefaultSelector.__name__)").strip()


# who may import whom


def imports_of(path):
    """Every module of ours that the file imports, at whatever depth, with the line."""
    package = ("orchestrator", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (start, node.module)))
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "orchestrator" else [module]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name.partition(".")[0] == "orchestrator")


def room_of(module):
    """The first step below `orchestrator`; the door itself has none, and the shipped contracts see the whole house."""
    if module.startswith("orchestrator.testing.contracts"):
        return "contracts"
    return module.split(".")[1] if "." in module else None


def complaint(room, target):
    """Why this room may not import that one, or None."""
    if target in (room, "errors"):
        return None
    if target is None or target not in {*FLOOR_OF, "testing"} - {"contracts"}:
        return "goes through the front door: import from the module itself"
    if target == "testing":
        return "is for tests and the command line only" if room not in {"cli", "__main__", "contracts"} else None
    if room == "testing":
        return None if target == "core" else "testing knows core and errors only"
    if room not in FLOOR_OF:
        return f"{room!r} has no floor yet: give it one in FLOORS"
    if FLOOR_OF[target] > FLOOR_OF[room]:
        return "goes up: " + " <- ".join(", ".join(sorted(rooms)) for rooms in FLOORS)
    if room in QUARTERS and target in QUARTERS:
        return "rooms of one floor do not know each other"
    return None


def test_imports_go_one_way():
    """core <- selectors, caches, integrations <- models <- catalog, evaluation, telemetry <- api, adapters, gateway, cli."""
    wrong = [
        f"{here(path)}:{line}: {module} {why}"
        for path in FILES
        if path != PACKAGE / "__init__.py"
        for module, line in imports_of(path)
        if (why := complaint(room_of(".".join(path.relative_to(ROOT).with_suffix("").parts)), room_of(module)))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


KNOWN_CIRCLES = {
    # a model that no registry has carries its own calls out
    frozenset(f"orchestrator.core.{name}" for name in ("alone", "attempt", "model", "requirements")),
    # a class that makes way for another, depending on where the model is
    frozenset({"orchestrator.integrations.huggingface_model", "orchestrator.integrations.local.model"}),
    frozenset({"orchestrator.testing.emulator", "orchestrator.testing.server"}),
    frozenset({"orchestrator.testing.fault_line", "orchestrator.testing.fault_server"}),
}


def module_of(path):
    """The name under which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def files_imported(path, modules):
    """The modules that a file imports, or imports from: the file of a name itself where the name is one."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            found |= {one if (one := f"{node.module}.{alias.name}") in modules else node.module for alias in node.names}
    return found & modules


def reached_from(start, neighbours):
    """Every node at the end of a way from this one; itself only by a way back."""
    seen, ahead = set(), [start]
    while ahead:
        new = neighbours.get(ahead.pop(), set()) - seen
        seen |= new
        ahead += new
    return seen


def circles(neighbours):
    """Groups of nodes that can all be reached from each other."""
    reached = {one: reached_from(one, neighbours) for one in neighbours}
    back = [one for one in neighbours if one in reached[one]]
    return {frozenset(other for other in back if other in reached[one] and one in reached[other]) for one in back}


def test_files_do_not_import_one_another():
    """Files in a circle are one room, however many they are; imports for types alone count as well."""
    modules = {module_of(path) for path in FILES}
    neighbours = {module_of(path): files_imported(path, modules) - {module_of(path)} for path in FILES}
    assert circles(neighbours) == KNOWN_CIRCLES


def test_the_search_for_circles_itself():
    """The check above would notice, and tells two circles from one."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}) == {
        frozenset("abc"),
        frozenset("de"),
    }


@pytest.mark.parametrize(
    ("room", "target", "allowed"),
    [
        ("core", "models", False),
        ("models", "core", True),
        ("selectors", "integrations", False),
        ("models", "selectors", True),
        ("testing", "models", False),
        ("testing", "core", True),
        ("models", "testing", False),
        ("gateway", "api", True),
        ("models", None, False),
        ("attic", "core", False),
    ],
)
def test_the_rule_of_imports_itself(room, target, allowed):
    """The check above would notice."""
    assert (complaint(room, target) is None) is allowed


# how large a room may be


def test_no_file_is_too_long():
    """A room has one purpose; beyond 400 lines it has two."""
    lengths = {here(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_too_long():
    """A function that needs headings wants to be several."""
    functions = [
        (f"{here(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert {name: lines for name, lines in functions if lines > MOST_FUNCTION_LINES} == {}


def test_no_room_is_named_after_nothing():
    """A name such as utils or helpers says that nobody knew what was in it."""
    nameless = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert [here(path) for path in FILES if {*path.with_suffix("").parts} & nameless] == []


def test_every_exception_to_a_checker_names_what_it_excepts():
    """An ignore without a code hides tomorrow's error too."""
    bare = re.compile(r"#\s*(type:\s*ignore(?!\[[\w-]+)|noqa(?!:\s*[A-Z]+\d+))", re.IGNORECASE)
    found = [
        f"{here(path)}:{token.start[0]}: {token.string}"
        for path in OUR_CODE
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        if token.type == tokenize.COMMENT and bare.search(token.string)
    ]
    assert not found, "\n" + "\n".join(found)


def test_no_default_shows_the_environment():
    """`help()` and generated pages print defaults, and the environment holds keys."""
    shown = [
        f"{here(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for default in (*node.args.defaults, *node.args.kw_defaults)
        if default is not None and "environ" in ast.unparse(default)
    ]
    assert shown == []
