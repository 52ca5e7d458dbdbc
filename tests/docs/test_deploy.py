"""The files of the deploy page are ones that their readers take: systemd, and the gateway itself."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "deploy.md").read_text()
FILES = dict(re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """The settings file of the page, with its state in a folder that can be thrown away."""
    pytest.importorskip("yaml")
    for name in ("WEB_KEY", "OPERATOR_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, f"{name.lower()}-0123456789abcdef")
    path = tmp_path / "config.yaml"
    path.write_text(FILES["yaml"].replace("/var/lib/orchestrator", str(tmp_path)))
    return path


def test_the_settings_are_well(settings):
    """`config check`, as the unit runs it before each start."""
    done = CliRunner().invoke(app, ["config", "check", str(settings)])
    assert (done.exit_code, "well: 2 models" in done.output) == (0, True), done.output


def commands():
    """Every command of ours that the unit and the image run."""
    unit = [line.partition("=")[2] for line in FILES["ini"].splitlines() if line.startswith("Exec")]
    image = [" ".join(re.findall(r'"([^"]+)"', FILES["dockerfile"].splitlines()[-1]))]
    return [words[1:] for line in unit + image if (words := shlex.split(line))[0].endswith("orchestrator")]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_commands_are_ones_that_there_are(words):
    """Each is known with its options: asked for its help, it gives it."""
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0, done.output


def test_what_the_settings_keep_on_disk_is_there_in_the_image():
    """A state that nobody can write would end the container at its first start."""
    (folder,) = re.findall(r"sqlite:///(/[\w/]+)/", FILES["yaml"])
    assert f"install -d -o orchestrator {folder}" in FILES["dockerfile"]
    assert f"VOLUME {folder}" in FILES["dockerfile"]
    assert folder == f"/var/lib/{re.search(r'StateDirectory=(.*)', FILES['ini'])[1]}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    """Without a warning; the program stands elsewhere here."""
    unit = tmp_path / "orchestrator.service"
    unit.write_text(FILES["ini"].replace("/opt/orchestrator/bin/orchestrator", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
