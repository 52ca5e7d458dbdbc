"""`orchestrator serve`: a real process, a real signal, no call dropped."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.gateway.settings import keys_in

KEY = "served-key-0123456789"
ASK = {"model": "auto", "messages": [{"role": "user", "content": "What is 2 + 3?"}]}


@pytest.fixture
def process():
    """A serving process and its address."""
    command = [sys.executable, "-m", "orchestrator", "serve", "--demo", "--port", "0"]
    environment = os.environ | {"ORCHESTRATOR_GATEWAY_KEYS": f"tests:{KEY}", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as made:
        lines = [made.stdout.readline() for _ in range(3)]
        yield made, lines[1].split()[1].removesuffix("/v1")
        made.kill()
        made.stdout.read()


def call(url, **body):
    """The reply to one prompt, once its head is there."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(ASK | body).encode(), headers)
    return urllib.request.urlopen(request, timeout=30)


def test_the_command_serves_and_finishes_its_calls_on_sigterm(process):
    """Streams that were flowing when the signal came are answered to their end; the process leaves with 0."""
    made, url = process
    with call(url) as whole:
        assert json.load(whole)["choices"]
    flowing = [call(url, stream=True) for _ in range(4)]
    made.send_signal(signal.SIGTERM)
    answers = []
    for one in flowing:
        with one:
            answers.append(one.read())
    assert made.wait(30) == 0
    assert all(answer.endswith(b"data: [DONE]\n\n") for answer in answers)


def test_keys_without_a_name_are_refused_without_showing_them():
    """The message says the form, never the key."""
    with pytest.raises(ConfigurationError, match="NAME:KEY") as caught:
        keys_in("secretsecretsecret")
    assert "secret" not in str(caught.value)
