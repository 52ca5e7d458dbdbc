"""Gateways of other projects before the same upstream: started, asked, and their CPU read from the system."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gateway

__all__ = ["FEATURES", "KINDS", "measured"]

FEATURES = {
    "bare aiohttp": "JSON in, JSON out, nothing else: the floor, not a product",
    "engine": "selection, health, limits, usage and cost; no keys, no cache",
    "LiteLLM proxy": "as it comes, one worker; no database, no keys, no cache",
}
KINDS = {"one at a time": (1, False), "64 at once": (64, False), "64 streams at once": (64, True)}
PATIENCE_S = 90


def measured(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each kind of load and gateway: CPU microseconds and requests a second, beside the bare one."""
    far, far_url = gateway.start("upstream")
    bare, bare_url = gateway.start("bare", far_url)
    ours, ours_url = gateway.start("ours", far_url)
    try:
        with litellm_proxy(far_url) as proxy:
            field = {"bare aiohttp": (bare_url, None), "engine": (ours_url, None), **proxy}
            return [row for kind in KINDS for row in _rows(kind, field, rounds, seconds)]
    finally:
        for process in (ours, bare, far):
            process.kill()


def _rows(kind: str, field: dict[str, Any], rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    workers, stream = KINDS[kind]
    options = {"seconds": seconds, "workers": workers, "stream": stream}
    seen: dict[str, list[tuple[float, ...]]] = {name: [] for name in field}
    for _ in range(rounds):
        for name, (url, spent) in field.items():
            seen[name].append(asyncio.run(gateway.load(url, **options, spent=spent)))
    for name, loads in seen.items():
        ratios = [one[1] / floor[1] for one, floor in zip(loads, seen["bare aiohttp"], strict=True)]
        rps, cpu, median_s, peak_mb = (statistics.median(one[at] for one in loads) for at in range(4))
        yield {
            "kind": kind,
            "gateway": name,
            "cpu_us": cpu,
            "ratio": statistics.median(ratios),
            "least": min(ratios),
            "most": max(ratios),
            "rps": rps,
            "p50_ms": 1e3 * median_s,
            "peak_mb": peak_mb,
        }


@contextmanager
def litellm_proxy(upstream_url: str) -> Iterator[dict[str, Any]]:
    """LiteLLM's proxy as a contestant; nobody where it is not installed."""
    command = shutil.which("litellm", path=str(Path(sys.executable).parent))
    if command is None:
        print("LiteLLM proxy: not installed, left out", file=sys.stderr)
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        config = Path(folder) / "config.yaml"
        model = {"model": "openai/m", "api_base": upstream_url, "api_key": "none"}
        config.write_text(json.dumps({"model_list": [{"model_name": "m", "litellm_params": model}]}))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        words = [command, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        open_door = os.environ | {
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"
        }  # no keys, as with ours
        with subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, env=open_door
        ) as process:
            try:
                _await(f"http://127.0.0.1:{port}/health/liveliness")
                yield {"LiteLLM proxy": (f"http://127.0.0.1:{port}", lambda: _spent(process.pid))}
            finally:
                process.kill()


def _await(url: str) -> None:
    """Return when the server answers; RuntimeError when it does not in time."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise RuntimeError(f"{url} did not answer within {PATIENCE_S} s")


def _spent(pid: int) -> tuple[float, float]:
    """CPU seconds and peak kilobytes of a process, as Linux tells them."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"), peak_kb
