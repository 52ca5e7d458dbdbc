"""The plug-in that people are told to copy keeps the contract, and is found by its entry point."""

import sys
import tomllib
from pathlib import Path

import pytest
from selector_contract import SelectorContract

from orchestrator.selectors import selector_named, selector_names

PLUGIN = Path(__file__).parents[2] / "selectors" / "example_plugin"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The plug-in as pip would leave it: its module on the path, its entry points in a dist-info beside it."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(PLUGIN))
    yield
    sys.modules.pop("orchestrator_softmax", None)


def test_an_installed_plug_in_is_found_by_name(installed):
    """The name in its entry point is all that a user needs."""
    assert "softmax" in selector_names()
    selector = selector_named("softmax", temperature=0.5)
    assert (selector.name, selector.temperature) == ("softmax", 0.5)


@pytest.mark.usefixtures("installed")
class TestSoftmax(SelectorContract):
    """The suite, over a selector that the engine has never heard of."""

    @staticmethod
    def make():
        return selector_named("softmax")
