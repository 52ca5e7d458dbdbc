"""Programs of others beside this one: started, awaited, their CPU read from the system, and ended."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["awaited", "free_port", "running", "spent"]

PATIENCE_S = 300  # LiteLLM's proxy takes a minute and more to start on a busy machine


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(words: Sequence[str], *, folder: str | None = None, more: Mapping[str, str] | None = None) -> Iterator[int]:
    """The process id of a quiet program, which ends with the block; `more` is added to its environment."""
    quiet, environment = subprocess.DEVNULL, os.environ | dict(more or {})
    with subprocess.Popen(words, stdout=quiet, stderr=quiet, cwd=folder, env=environment) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def awaited(url: str) -> None:
    """Return when the server answers; RuntimeError when it does not in time."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {PATIENCE_S} s")


def spent(pid: int) -> tuple[float, float]:
    """CPU seconds and peak kilobytes of a process, as Linux tells them."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"), peak_kb
