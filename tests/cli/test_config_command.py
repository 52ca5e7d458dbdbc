"""`orchestrator config`: what settings come to, before something depends on them."""

import json

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app

pytest.importorskip("yaml")

GOOD = """
keys: {openai: "${OPENAI_API_KEY}"}
cache: {backend: redis, host: cache.internal, password: "sk-canary-password"}
profiles: {cheap: {max_cost: 0.001}}
gateway:
  port: 9000
  keys: [{name: web, key: "sk-canary-0123456789"}]
models:
  - {id: openai/gpt-4o, api_key: "${OTHER_KEY}", cost: {input: 2.5, output: 10}}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command on a file of this text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-abcdefgh")
    monkeypatch.delenv("OTHER_KEY", raising=False)

    def result(command, text, *more):
        (tmp_path / "config.yaml").write_text(text)
        return CliRunner().invoke(app, ["config", command, *more])

    return result


def test_check_tells_that_all_is_well_and_what_is_not_set(run):
    """Models and files are counted, and variables that are missing named with their line."""
    result = run("check", GOOD)
    assert result.exit_code == 0
    assert "well: 1 models from config.yaml" in result.output
    assert "not set: OTHER_KEY (config.yaml:9)" in result.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("modles: []\n", "config.yaml:1: unknown key 'modles'"),
        ("gateway:\n  prot: 1\n", "config.yaml:2: unknown key 'prot' in gateway; did you mean 'port'"),
        ("gateway:\n  keys: [{name: web}]\n", "config.yaml:2: gateway: a key needs a 'key'"),
        ("health: {check_interval: 0}\n", "config.yaml:1: health: check_interval=0"),
    ],
)
def test_check_names_file_line_and_key(run, text, told):
    """One line on stderr, and exit code 1."""
    result = run("check", text)
    assert result.exit_code == 1
    assert told in result.stderr


def test_show_masks_every_secret(run):
    """Keys of providers and of the gateway, and passwords: none is printed, in tables or as JSON."""
    for more in ((), ("--json",)):
        result = run("show", GOOD, *more)
        assert result.exit_code == 0, result.output
        assert "canary" not in result.output
    shown = json.loads(result.stdout)
    assert shown["models"][0]["cost"] == {"input": 2.5, "output": 10.0}
    assert shown["cache"]["host"] == "cache.internal"
    assert shown["keys"] == {"openai": "********"}
    assert shown["not_set"] == ["OTHER_KEY"]


def test_without_a_file_the_environment_is_shown(run, monkeypatch):
    """Variables alone are settings too."""
    monkeypatch.setenv("ORCHESTRATOR_MODELS", "openai/gpt-4o")
    result = run("show", "", "--json")
    assert [one["id"] for one in json.loads(result.stdout)["models"]] == ["openai/gpt-4o"]
