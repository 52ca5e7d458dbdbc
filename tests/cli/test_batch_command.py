"""`orchestrator batch`: a file in, a file out, and the same command goes on."""

import json
import signal
import subprocess
import sys
import time

import pytest


@pytest.fixture
def prompts(tmp_path):
    """Twenty sums."""
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"What is {n} plus 1?"}) + "\n" for n in range(20)))
    return path


def test_a_file_of_prompts_becomes_a_file_of_answers(run, server, prompts, tmp_path):
    """With how far it is on stderr and the figures on stdout."""
    out = tmp_path / "out.jsonl"
    done = run("batch", prompts, "-o", out, "--base-url", server, "--model", "small")
    assert (done.exit_code, done.exception) == (0, None)
    assert f"20 of 20 prompts are in {out}, 0 of them failed" in done.stdout.replace("\n", " ").replace("  ", " ")
    assert "20 answers have no known price" in done.stdout
    assert "10 of 20 prompts" in done.stderr
    texts = {
        one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"]
        for one in map(json.loads, out.read_text().splitlines())
    }
    assert texts == {f"line-{n + 1}": str(n + 1) for n in range(20)}


def test_the_same_command_again_changes_nothing(run, server, prompts, tmp_path):
    """And says so as JSON."""
    out = tmp_path / "out.jsonl"
    arguments = ("batch", prompts, "-o", out, "--base-url", server, "--model", "small", "--json")
    run(*arguments)
    before = out.read_bytes()
    told = json.loads(run(*arguments).stdout)
    assert (told["done"], told["before"], told["failed"], told["left"]) == (20, 20, 0, 0)
    assert out.read_bytes() == before


def test_failed_lines_make_the_exit_code(run, server, tmp_path):
    """One, so that a script notices."""
    path = tmp_path / "prompts.jsonl"
    path.write_text('"What is 1 plus 1?"\nnonsense\n')
    done = run("batch", path, "-o", tmp_path / "out", "--base-url", server, "--model", "small")
    assert (done.exit_code, "1 of them failed" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.jsonl", "-o", "out"], "cannot be read"),
        (["same", "-o", "same"], "--output is the file of prompts"),
        (["same", "-o", "out", "--retry", "some"], "retry='some'"),
        (["same", "-o", "prose"], "is no record of a batch"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(run, tmp_path, monkeypatch, arguments, words):
    """Before anything is asked."""
    server = "http://127.0.0.1:9"  # nobody is there
    monkeypatch.chdir(tmp_path)
    (tmp_path / "same").write_text('"hi"\n')
    (tmp_path / "prose").write_text("Call me Ishmael.\n")
    done = run("batch", *arguments, "--base-url", server, "--model", "small")
    assert done.exit_code != 0
    assert words in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.output


def test_an_interrupt_finishes_the_calls_under_way_and_says_how_to_go_on(tmp_path):
    """A real process, a real signal: every line in the file is whole, and the exit code is a shell's 130."""
    from orchestrator.testing import EmulatedModel, Emulator

    path, out = tmp_path / "prompts.jsonl", tmp_path / "out.jsonl"
    path.write_text("".join(f'"What is {n} plus 1?"\n' for n in range(400)))
    with Emulator.in_thread([EmulatedModel("slow", latency_s=0.05)]) as emulator:
        command = [sys.executable, "-m", "orchestrator", "batch", path, "-o", out, "-n", "4", "--model", "slow"]
        command += ["--base-url", emulator.base_url("openai")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not (out.exists() and out.read_bytes().count(b"\n") >= 5):
                time.sleep(0.01)  # until another process has got so far
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "finishing the calls under way" in told
    assert "run the same command again to go on" in told
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert 5 <= len(records) < 400
    assert all(one["error"] is None for one in records)
