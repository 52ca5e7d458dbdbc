"""What the catalogue offers by name, and that plug-ins come in by the same door."""

import ast
import tomllib
from pathlib import Path

import pytest

from orchestrator import catalog
from orchestrator.catalog import Connector, ConnectorRegistry, ModelSource, source_named
from orchestrator.catalog.connectors import CONNECTORS
from orchestrator.catalog.sources import SOURCES, source_names
from orchestrator.core.plug_ins import forget_plug_ins
from orchestrator.errors import ConfigurationError, ModelProviderError
from orchestrator.integrations.providers import PROVIDERS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("group", "table"), [("integrations", PROVIDERS), ("sources", SOURCES), ("connectors", CONNECTORS)]
)
def test_what_is_built_in_is_registered_like_a_plug_in(group, table):
    """The entry points of the distribution and the table in the code are one list."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared[f"orchestrator.{group}"] == table


def test_the_public_list_is_sorted_and_whole():
    """Each name is there, and type checkers see the same ones."""
    guarded = next(node for node in ast.parse(Path(catalog.__file__).read_text()).body if isinstance(node, ast.If))
    typed = {name.name: node.module for node in guarded.body for name in node.names}
    assert typed == catalog._HOME_OF
    assert sorted(typed) == sorted(catalog.__all__) == catalog.__all__
    assert all(getattr(catalog, name) is not None for name in catalog.__all__)
    with pytest.raises(AttributeError, match="no_such"):
        _ = catalog.no_such


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """An installed distribution with a source, a connector, and one of each that cannot be loaded."""
    (tmp_path / "attic.py").write_text(
        "from orchestrator.catalog import Connector, ModelSource\n"
        "class Attic(ModelSource):\n"
        "    def discover_models(self):\n"
        "        yield {'id': 'attic/box'}\n"
        "class Ladder(Connector):\n"
        "    name = 'ladder'\n"
        "    def format_metadata(self, model):\n"
        "        return {'step': model.name}\n"
    )
    info = tmp_path / "attic-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: attic\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[orchestrator.sources]\nattic = attic:Attic\ncellar = attic:Missing\n"
        "[orchestrator.connectors]\nladder = attic:Ladder\nrope = attic:Missing\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    forget_plug_ins()
    yield
    forget_plug_ins()


async def test_an_installed_source_is_found_by_name(plugged):
    """Among all others; one that cannot be loaded says so, and disturbs nobody."""
    assert {"attic", "cellar", "openrouter"} <= set(source_names())
    assert [model.id for model in (await source_named("attic").fetch()).models] == ["attic/box"]
    with pytest.raises(ModelProviderError, match="cellar"):
        source_named("cellar")


def test_an_installed_connector_is_found_by_name(plugged):
    """Likewise."""
    connectors = ConnectorRegistry.built_in()
    assert connectors["ladder"].name == "ladder"
    with pytest.raises(ModelProviderError, match="rope"):
        connectors["rope"]


# the registry of connectors


class Mine(Connector):
    """A connector as a user writes it."""

    @property
    def name(self):
        return "my_client"

    def format_metadata(self, model):
        return {"model_id": model.id}


def test_connectors_are_a_mutable_mapping():
    """Set, get, delete, iterate; what is no connector stays out."""
    connectors = ConnectorRegistry([Mine()])
    assert dict(connectors) == {"my_client": connectors["my_client"]}
    connectors["other"] = Mine()
    del connectors["my_client"]
    assert (list(connectors), len(connectors), "my_client" in connectors) == (["other"], 1, False)
    with pytest.raises(TypeError, match="Connector"):
        connectors["third"] = object()
    with pytest.raises(KeyError, match="did you mean 'other'"):
        connectors["othr"]
    with pytest.raises(ConfigurationError):
        del connectors["nobody"]
    assert connectors.pop("nobody", None) is None


def test_a_built_in_connector_can_be_replaced_and_taken_out():
    """It is a mapping like any other."""
    connectors = ConnectorRegistry.built_in()
    mine = connectors["openai"] = Mine()
    assert connectors["openai"] is mine
    del connectors["openai"]
    assert "openai" not in connectors


def test_a_source_is_a_class_of_ours():
    """A name cannot lead to anything else."""
    assert isinstance(source_named("ollama"), ModelSource)
