"""`orchestrator doctor`: everything looked at, nothing shown that is secret."""

import json

import pytest

CANARY = "sk-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """A folder without settings of anybody's."""
    monkeypatch.chdir(tmp_path)


def findings(run, *arguments, code=0):
    """The findings by area and name."""
    done = run("doctor", "--json", *arguments)
    assert done.exit_code == code, done.output
    return {(one["area"], one["name"]): one for one in json.loads(done.stdout)["findings"]}


def test_what_is_installed_is_told_with_its_version(run):
    """The packages of the core are there; an extra says what it lacks."""
    found = findings(run)
    assert found["installed", "python"]["state"] == "well"
    assert found["installed", "aiohttp"]["state"] == "well"
    assert {one["state"] for (area, _), one in found.items() if area == "extras"} <= {"well", "absent"}


def test_a_key_is_told_by_its_variable_and_never_shown(run, monkeypatch):
    """Set, and how long; several are counted."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("ANTHROPIC_API_KEYS", f"{CANARY}-1,{CANARY}-2")
    found = findings(run)
    assert found["keys", "openai"]["words"] == f"OPENAI_API_KEY is set ({len(CANARY)} characters)"
    assert found["keys", "anthropic"]["words"] == "ANTHROPIC_API_KEYS holds 2 keys"
    assert "canary" not in run("doctor").output


def test_a_fault_changes_the_exit_code(run, monkeypatch, tmp_path):
    """A settings file that cannot be used, a key that cannot be sent, a folder that cannot be written to."""
    (tmp_path / "config.yaml").write_text("modles: []\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\u201cquoted\u201d")
    found = findings(run, code=1)
    assert found["configured", "settings"]["state"] == "wrong"
    assert "models" in found["configured", "settings"]["words"]
    assert found["keys", "openai"]["state"] == "wrong"


def test_settings_that_work_are_counted(run, tmp_path):
    """From the file that the engine itself would read."""
    (tmp_path / "config.yaml").write_text("models: [openai/gpt-4o]\n")
    assert findings(run)["configured", "settings"]["words"].startswith("1 models from config.yaml")


def test_providers_are_asked_only_when_told_to(run, monkeypatch, server):
    """Their lists of models are unpaid; one that does not answer is wrong."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("OPENAI_BASE_URL", server)
    assert ("reachable", "openai") not in findings(run)
    assert findings(run, "--probe")["reachable", "openai"]["words"].endswith("models")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert findings(run, "--probe", code=1)["reachable", "openai"]["state"] == "wrong"
    assert "canary" not in run("doctor", "--probe").output


def test_the_table_marks_what_is_wrong(run, monkeypatch, tmp_path):
    """By a sign and not by colour alone."""
    (tmp_path / "config.yaml").write_text("modles: []\n")
    done = run("doctor")
    assert done.exit_code == 1
    assert "✗" in done.stdout
    assert "✓" in done.stdout
