"""The provider that people are told to copy is found by its entry point, and keeps the contract."""

import doctest
import importlib
import sys
import tomllib
from pathlib import Path

import pytest

from orchestrator.errors import InvalidRequestError
from orchestrator.integrations import known_providers, providers
from orchestrator.models.model_registry import ModelRegistry

PLUGIN = Path(__file__).parents[2] / "integrations" / "example_plugin"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The plug-in as pip would leave it: its module on the path, its entry points in a dist-info beside it."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    info = tmp_path / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    [(group, points)] = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{point} = {target}" for point, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(PLUGIN))
    forget_plug_ins()
    yield
    forget_plug_ins()
    sys.modules.pop("orchestrator_echo", None)


def forget_plug_ins():
    """What is installed is looked up once a process."""
    providers._plug_ins.cache_clear()
    providers._plug_in.cache_clear()


@pytest.fixture
async def echo(installed):
    """A model of the plug-in, found by its id alone."""
    async with ModelRegistry() as registry:
        yield registry.get_model("echo/any-name")


def test_an_installed_plug_in_is_known_by_name(installed):
    """The name in its entry point is the provider's; its module is not loaded by looking."""
    assert "echo" in known_providers()
    assert "orchestrator_echo" not in sys.modules


def test_without_the_plug_in_the_provider_is_unknown():
    """The test above would notice."""
    assert "echo" not in known_providers()


async def test_it_answers_and_is_counted(echo):
    """One call, through the same road as any other."""
    answer = await echo.generate_response("Hello out there")
    assert (answer.text, answer.model_id, answer.usage.total_tokens) == ("Hello out there", "echo/any-name", 6)
    assert echo.metrics.calls == 1


async def test_it_streams_what_it_would_have_said(echo):
    """The pieces make up the answer, and the last one has the usage of the whole."""
    chunks = [chunk async for chunk in echo.stream_response("Hello out there")]
    assert [chunk.text for chunk in chunks] == ["Hello", " out", " there", ""]
    assert chunks[-1].usage.total_tokens == 6
    assert chunks[-1].response.text == "Hello out there"


async def test_it_refuses_in_the_words_of_the_engine(echo):
    """A request it cannot take is the caller's fault: no other model is asked, and nobody is blamed."""
    with pytest.raises(InvalidRequestError, match="nothing to repeat"):
        await echo.generate_response("   ")
    assert echo.metrics.calls == 0


def test_its_examples_hold(installed):
    """What its docstring shows is what happens."""
    result = doctest.testmod(importlib.import_module("orchestrator_echo"))
    assert (result.failed, result.attempted) == (0, 2)
