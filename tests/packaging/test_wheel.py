"""What people install is what was tested: the wheel is whole, holds nothing else, and runs in an empty folder."""

import json
import os
import shutil
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from wheels import bare_environment, run

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE")
LEAST_SETUPTOOLS = 77


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, built offline from a copy of the sources, so that the checkout stays as it is."""
    if int(version("setuptools").partition(".")[0]) < LEAST_SETUPTOOLS:
        pytest.skip(f"the wheel needs pip install 'setuptools>={LEAST_SETUPTOOLS}'")
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "orchestrator", source / "orchestrator", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", ".", cwd=source)
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="session")
def names(wheel):
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """A fresh environment with the wheel in it; the libraries it needs are those of this interpreter."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet")
    run(*pip, "install", "--no-deps", "--no-index", str(wheel), cwd=home, env=bare_environment())
    [site] = home.rglob("site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python.parent


def test_every_module_is_in_the_wheel(names):
    """A package that somebody forgot to list would be missing only for those who install it."""
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "orchestrator").rglob("*.py")}
    assert ours - names == set()


def test_types_and_prices_come_along(names):
    """Without `py.typed` no type checker believes us, without prices no cost is known."""
    assert {"orchestrator/py.typed", "orchestrator/data/prices.json"} <= names


def test_every_file_of_the_package_that_is_no_code_comes_along(names):
    """Data that the code reads has to be declared."""
    data = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "orchestrator").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".md")
    }
    assert data - names == set()


def test_nothing_else_is_in_the_wheel(names):
    """No tests, and above all no top-level `selectors`, which would hide the standard library's."""
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"orchestrator"}
    assert [name for name in names if Path(name).name.startswith("test_")] == []


def test_the_wheel_is_small(wheel):
    """A megabyte and a quarter is more than the code and the price list need."""
    assert wheel.stat().st_size < 1_250_000


def test_the_installed_command_tells_its_version(installed, wheel, tmp_path):
    """From an empty folder, so that nothing of the checkout helps."""
    said = run(installed / "orchestrator", "--version", cwd=tmp_path, env=bare_environment())
    assert said == f"orchestrator {wheel.name.split('-')[1]}\n"


def test_the_installed_package_is_the_one_that_runs(installed, tmp_path):
    """The proof that the tests above did not run the checkout."""
    code = "import orchestrator; print(orchestrator.__file__)"
    said = run(installed / "python", "-c", code, cwd=tmp_path, env=bare_environment())
    assert Path(said.strip()).is_relative_to(installed.parent)


def test_the_demo_runs_from_an_empty_folder(installed, tmp_path):
    """The first thing that a newcomer does; nothing is left behind."""
    demo = ("demo", "--prompts", "40", "--no-plot", "--json")
    figures = json.loads(run(installed / "orchestrator", *demo, cwd=tmp_path, env=bare_environment()))
    assert figures
    assert list(tmp_path.iterdir()) == []
