"""The generated parts of the documentation say what the code says, and the map shows every page."""

import os
import re
import subprocess
import sys

import pytest
import yaml
from written_pages import ROOT

SCRIPT = ROOT / "scripts" / "make_reference.py"


def test_the_reference_is_what_the_code_says():
    """Run `python scripts/make_reference.py` after a change."""
    # in an interpreter of its own, where no test has registered anything
    command, environment = [sys.executable, str(SCRIPT), "--check"], {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_page_of_peers_says_what_was_measured():
    """No figure is typed in by hand: run `python benchmarks/peers --page-only` after a change of its words."""
    command = [sys.executable, str(ROOT / "benchmarks" / "peers"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_ci_runs_nothing_that_the_readme_does_not_name():
    """Whoever reads the README can do all that CI does."""
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(?:make|tested_where_installed) ([\w-]+)", run, re.MULTILINE))
    assert {"test", "test-adapters"} <= targets
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {word for words in re.findall(r"`make ([^`]+)`", readme) for word in words.split()}
    assert targets - named == set()


def navigation():
    """The pages in the map of the site, in order."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    return list(leaves(yaml.safe_load(text)))


def leaves(branch):
    """What stands at the ends of lists in tables in lists."""
    if isinstance(branch, str):
        yield branch
    for twig in branch.values() if isinstance(branch, dict) else branch if isinstance(branch, list) else ():
        yield from leaves(twig)


def test_the_map_and_the_pages_agree():
    """Every page is in the navigation of mkdocs.yml, once, and the navigation names no other."""
    pages = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
    assert sorted(navigation()) == pages


@pytest.mark.parametrize("folder", ["howto", "explanation", "reference"])
def test_the_front_page_leads_to_every_page(folder):
    """A page that nobody finds is not there."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / folder).glob("*.md"))
    assert [page for page in pages if f"({page})" not in index] == []
