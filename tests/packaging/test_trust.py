"""What people install can be trusted: few packages, each pinned for CI with its hashes, and a wheel anybody can rebuild."""

import importlib.metadata
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from wheels import bare_environment, run

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = ROOT / "requirements" / "ci.txt"
MOST_PACKAGES = 20
# what aiohttp has split itself into: its own maintainers', and of no use to anybody else here
AIOHTTP = {"aiohappyeyeballs", "aiosignal", "frozenlist", "multidict", "propcache", "yarl"}


def whole(wanted, seen):
    """The names of these requirements and of all that they bring along here, as their own metadata say."""
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        if name in seen or (requirement.marker and not any(requirement.marker.evaluate({"extra": e}) for e in extras)):
            continue
        seen.add(name)
        whole([one for one in importlib.metadata.requires(name) or () if "extra ==" not in one], seen)
    return seen


def pins():
    """The packages of the lock with their versions, and how many hashes each has."""
    entries = re.split(r"\n(?=[\w.-]+==)", LOCK.read_text(encoding="utf-8"))[1:]
    return {canonicalize_name(entry.partition("==")[0]): entry.count("--hash=sha256:") for entry in entries}


def test_the_core_brings_fewer_than_twenty_packages():
    """Each package is somebody who can break or betray us: those that a dependency brings along count, aiohttp as one."""
    brought = whole(PROJECT["dependencies"], set())
    assert {"aiohttp", "pydantic-core"} <= brought
    assert len(brought - AIOHTTP) < MOST_PACKAGES, sorted(brought)


def test_each_dependency_has_its_reason():
    """The page of dependencies names every package of the core and every extra."""
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = [Requirement(one).name for one in PROJECT["dependencies"]]
    assert [name for name in names if not re.search(rf"^\|.*\b{name}\b.*\|", page, re.MULTILINE)] == []
    assert [extra for extra in PROJECT["optional-dependencies"] if f"`{extra}`" not in page] == []


def test_the_lock_pins_all_that_the_tests_need():
    """A dependency that is new in pyproject.toml has to be locked: `make lock`."""
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    missing = {canonicalize_name(Requirement(one).name) for one in wanted} - set(pins())
    assert missing == set()


def test_every_pin_has_a_hash():
    """pip refuses a file whose hash the lock does not know, wherever it came from."""
    assert [name for name, hashes in pins().items() if not hashes] == []


def test_the_lock_is_of_no_private_index():
    """It holds for everybody: no address, no folder, no key of the machine that wrote it."""
    text = LOCK.read_text(encoding="utf-8")
    assert re.findall(r"^(?:-|.*(?:https?|file)://).*$", text, re.MULTILINE) == []


@pytest.fixture
def sources(tmp_path):
    """Two copies of the sources, in two folders, whose files were written at different times."""
    folders = tmp_path / "one", tmp_path / "another"
    for number, folder in enumerate(folders):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "orchestrator", folder / "orchestrator", ignore=ignored, copy_function=shutil.copyfile)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copyfile(ROOT / name, folder / name)
        if number:
            (folder / "orchestrator" / "py.typed").touch()
    return folders


def test_two_builds_of_one_source_are_the_same_to_the_last_byte(sources):
    """With SOURCE_DATE_EPOCH set, anybody can rebuild the wheel that was published and compare it."""
    built = []
    for folder in sources:
        build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", ".")
        run(*build, cwd=folder, env=bare_environment(SOURCE_DATE_EPOCH="1767225600"))
        [wheel] = (folder / "dist").glob("*.whl")
        built.append(wheel.read_bytes())
    assert built[0] == built[1]
