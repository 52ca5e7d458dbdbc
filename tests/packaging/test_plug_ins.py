"""Plug-ins as they are installed: those to copy work and pass their own tests; broken ones are named and left out."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from wheels import bare_environment, built, install, run, written

from orchestrator import ModelInfo, ModelRegistry
from orchestrator.catalog import ConnectorRegistry, get_manager
from orchestrator.core.plug_ins import OURS, PlugInError, PlugInGroup, forget_plug_ins, unreadable_distributions
from orchestrator.errors import NoEligibleModelsError
from orchestrator.integrations import known_providers
from orchestrator.selectors import selector_named, selector_names

ROOT = Path(__file__).parents[2]
EXAMPLES = (ROOT / "selectors" / "example_plugin", ROOT / "integrations" / "example_plugin")
BROKEN = {
    "thrower.py": "1 / 0\n",
    "leaver.py": "raise SystemExit(3)\n",
    "moody.py": "class Moody:\n    pass\ndef source(**options):\n    raise RuntimeError('not today')\n",
    "entry_points.txt": (
        "[orchestrator.selectors]\nvanished = no_such_module:Thing\nleaving = leaver:Thing\nmoody = moody:Moody\n"
        "odd = nowhere\nucb = moody:Moody\n"
        "[orchestrator.integrations]\nburst = thrower:Burst\ndeepmind = moody:Moody\n"
        "[orchestrator.sources]\ncellar = moody:Missing\nmood = moody:source\n"
        "[orchestrator.connectors]\nrope = thrower:Rope\n"
        "[some.other.group]\nignored = thrower:Any\n"
    ),
}
NAMED = {"vanished", "leaving", "moody", "odd", "ucb", "burst", "deepmind", "cellar", "rope"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with both examples and a distribution in which everything is broken."""
    folder = tmp_path_factory.mktemp("plug-ins")
    site = folder / "site"
    wheels = [built(example, folder) for example in EXAMPLES]
    install([*wheels, written(folder, "rubble", BROKEN)], site, folder)
    return site


@pytest.fixture
def plugged(site, monkeypatch):
    """This process, with all that on its path."""
    monkeypatch.syspath_prepend(str(site))
    forget_plug_ins()
    yield
    forget_plug_ins()
    for module in ("orchestrator_softmax", "orchestrator_echo", "thrower", "leaver", "moody"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.parent.name)
def test_the_plug_in_to_copy_passes_its_own_tests(example, site, tmp_path):
    """Installed, from a folder of its own, with the suites that ship: as its author would run them."""
    [tests] = example.glob("test_*.py")
    shutil.copy(tests, tmp_path)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
    )
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests.name)
    said = run(*command, cwd=tmp_path, env=bare_environment(PYTHONPATH=str(site)))
    assert " passed" in said
    assert "skipped" not in said


def test_the_command_lists_who_brought_what_and_what_is_broken(site, tmp_path):
    """In an interpreter of its own, where a plug-in that leaves would end everything."""
    command = (sys.executable, "-m", "orchestrator", "plugins")
    listed = json.loads(run(*command, "--json", cwd=tmp_path, env=bare_environment(PYTHONPATH=str(site))))
    rows = {(row["group"], row["name"], row["distribution"]): row for row in listed["plugins"]}
    softmax = rows["orchestrator.selectors", "softmax", "orchestrator-softmax"]
    assert (softmax["version"], softmax["problem"], softmax["built_in"]) == ("0.1.0", None, False)
    assert {row["name"] for row in rows.values() if row["problem"]} == NAMED
    assert {row["distribution"] for row in rows.values() if row["problem"]} == {"rubble"}
    assert rows["orchestrator.selectors", "ucb", "rubble"]["hidden_by"] == OURS
    assert sum(row["built_in"] for row in rows.values()) > 40
    assert listed["unreadable"] == {}
    said = run(*command, cwd=tmp_path, env=bare_environment(PYTHONPATH=str(site), COLUMNS="200"))
    assert "orchestrator-softmax 0.1.0" in said
    assert "broken, left out" in said
    assert "rubble 1.0" in said


def test_a_broken_selector_is_named_and_the_others_work(plugged):
    """Whatever its module does while it is imported; a built-in name cannot be taken."""
    assert {"softmax", "vanished", "leaving", "ucb"} <= set(selector_names())
    assert selector_named("softmax").name == "softmax"
    assert type(selector_named("ucb")).__name__ == "UCBModelSelector"
    for name, why in {
        "vanished": "no_such_module",
        "leaving": "SystemExit",
        "moody": "no subclass of ModelSelector",
        "odd": "no module:attribute",
    }.items():
        for _ in range(2):
            with pytest.raises(PlugInError, match=rf"'{name}' of rubble 1\.0 in orchestrator\.selectors.*{why}"):
                ModelRegistry(selection_strategy=name)


def test_models_of_a_broken_provider_are_registered_and_never_chosen(plugged, tmp_path):
    """A registry that is read from a file opens, and the others answer."""
    assert {"burst", "echo"} <= set(known_providers())
    assert "deepmind" not in known_providers()  # that is another spelling of google, which is built in
    for _ in range(2):
        registry = ModelRegistry(storage_path=tmp_path / "models.json")
        registry.register_models([ModelInfo(id="burst/any"), ModelInfo(id="echo/any")] if not registry else [])
        registry.save()
        assert registry.select().model_id == "echo/any"
        assert "rubble" in registry["burst/any"].setup_issue()
    del registry["echo/any"]
    with pytest.raises(NoEligibleModelsError) as refusal:
        registry.select()
    assert "ZeroDivisionError" in refusal.value.reasons["burst/any"]


async def test_a_broken_source_is_named_in_its_finding(plugged, tmp_path):
    """One that cannot be loaded, one that cannot be made, one of a broken provider; the rest is asked all the same."""
    (tmp_path / "list.json").write_text('{"a": {"litellm_provider": "openai"}}')
    manager = get_manager(registry=ModelRegistry())
    from orchestrator.catalog import LiteLLMSource

    manager.register_source("mine", LiteLLMSource(tmp_path / "list.json"))
    findings = await manager.discover("cellar", "mood", "burst", "mine")
    assert [bool(finding.problem) for finding in findings.values()] == [True, True, True, False]
    assert "rubble" in findings["cellar"].problem
    assert [model.name for model in findings["mine"].models] == ["a"]


def test_a_broken_connector_is_named_and_the_others_work(plugged):
    """Names are all there; only who asks for it meets the error."""
    connectors = ConnectorRegistry.built_in()
    assert {"rope", "openai"} <= set(connectors)
    assert connectors["openai"].name == "openai"
    with pytest.raises(PlugInError, match="rubble"):
        connectors["rope"]


def test_a_fault_is_told_once_in_the_log(plugged, caplog):
    """Not at every call."""
    group = PlugInGroup("orchestrator.integrations", {})
    for _ in range(3):
        with pytest.raises(PlugInError):
            group.load("burst")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("text", [b"[orchestrator.selectors]\nneither name nor value\n", b"\xff[orchestrator.sources]"])
def test_a_distribution_that_is_damaged_hides_no_other(plugged, tmp_path, monkeypatch, text):
    """Half removed, or written by another hand: it is named, and the rest is found."""
    damaged = tmp_path / "damaged-1.0.dist-info"
    damaged.mkdir()
    (damaged / "entry_points.txt").write_bytes(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_plug_ins()
    assert {"softmax", "vanished"} <= set(selector_names())
    assert unreadable_distributions().keys() == {"damaged-1.0.dist-info"}


def test_without_the_plug_ins_their_names_are_unknown():
    """The tests above would notice."""
    assert "softmax" not in selector_names()
    assert "echo" not in known_providers()
