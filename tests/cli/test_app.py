"""The front door: help, version, and what is loaded when."""

import json
import subprocess
import sys

import pytest


def test_without_arguments_the_help_is_shown(run):
    """Every command is named with a line of its own."""
    text = run().output
    for command in ("demo", "ask", "models", "explain"):
        assert command in text


@pytest.mark.parametrize("command", ["demo", "ask", "models", "explain", "cache"])
def test_every_command_has_a_help_of_its_own(run, command):
    """-h works everywhere."""
    done = run(command, "-h")
    assert done.exit_code == 0
    assert "Usage" in done.output


def test_the_version_is_printed(run):
    """One line, and a good end."""
    done = run("--version")
    assert done.exit_code == 0
    assert done.stdout.startswith("orchestrator ")


@pytest.mark.parametrize("arguments", [["nosuch"], ["ask", "--nosuch"], ["demo", "--prompts", "3"]])
def test_a_wrong_call_ends_with_code_2(run, arguments):
    """As everywhere on the command line."""
    assert run(*arguments).exit_code == 2


def test_help_loads_no_heavy_library():
    """The commands import what they need when they run."""
    code = "import json, sys, orchestrator.cli.app; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    heavy = {"aiohttp", "numpy", "pydantic", "matplotlib", "asyncio"}
    assert heavy.isdisjoint(loaded)


def test_the_console_script_starts_light():
    """`orchestrator.__main__` itself loads not even typer."""
    code = "import sys, orchestrator.__main__; print('typer' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"
