"""Gateways of other projects before the same upstream: started, asked, and their CPU read from the system."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import gateway
from portkey import STREAMS, headers_for, portkey
from processes import awaited, free_port, running, spent

__all__ = ["FEATURES", "KINDS", "measured"]

FEATURES = {
    "bare aiohttp": "JSON in, JSON out, nothing else: the floor, not a product",
    "engine": "selection, health, limits, usage and cost; no keys, no cache",
    "LiteLLM proxy": "as it comes, one worker; no database, no keys, no cache",
    "Portkey gateway": "in Node, told by a header whom to ask; its streams fail here; no retries, no keys, no cache",
}
KINDS = {"one at a time": (1, False), "64 at once": (64, False), "64 streams at once": (64, True)}
WITHOUT_STREAMS = set() if STREAMS else {"Portkey gateway"}
Entry = tuple[str, dict[str, Any]]  # the address, and what `gateway.load` has to know beside it


def measured(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each kind of load and gateway: CPU microseconds and requests a second, beside the bare one."""
    far, far_url = gateway.start("upstream")
    bare, bare_url = gateway.start("bare", far_url)
    ours, ours_url = gateway.start("ours", far_url)
    try:
        with ExitStack() as stack:
            field: dict[str, Entry] = {"bare aiohttp": (bare_url, {}), "engine": (ours_url, {})}
            for name, start in OTHERS.items():
                try:
                    field[name] = stack.enter_context(start(far_url))
                except FileNotFoundError as missing:
                    print(f"{name}: left out ({missing})", file=sys.stderr)
            return [row for kind in KINDS for row in _rows(kind, field, rounds, seconds)]
    finally:
        for process in (ours, bare, far):
            process.kill()


def _rows(kind: str, field: dict[str, Entry], rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    workers, stream = KINDS[kind]
    field = {name: entry for name, entry in field.items() if not (stream and name in WITHOUT_STREAMS)}
    options = {"seconds": seconds, "workers": workers, "stream": stream}
    seen: dict[str, list[tuple[float, ...]]] = {name: [] for name in field}
    for _ in range(rounds):
        for name, (url, more) in field.items():
            seen[name].append(asyncio.run(gateway.load(url, **options, **more)))
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
def _litellm_proxy(upstream_url: str) -> Iterator[Entry]:
    """LiteLLM's proxy; FileNotFoundError where it is not installed."""
    command = shutil.which("litellm", path=str(Path(sys.executable).parent))
    if command is None:
        raise FileNotFoundError("pip install 'litellm[proxy]'")
    with tempfile.TemporaryDirectory() as folder:
        config, port = Path(folder) / "config.yaml", free_port()
        model = {"model": "openai/m", "api_base": upstream_url, "api_key": "none"}
        config.write_text(json.dumps({"model_list": [{"model_name": "m", "litellm_params": model}]}))
        words = [command, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        open_door = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}  # no keys, as with ours
        with running(words, folder=folder, more=open_door) as pid:
            awaited(f"http://127.0.0.1:{port}/health/liveliness")
            yield f"http://127.0.0.1:{port}", {"spent": lambda: spent(pid)}


@contextmanager
def _portkey(upstream_url: str) -> Iterator[Entry]:
    """Portkey's gateway; FileNotFoundError where it is not installed."""
    with portkey() as (url, pid):
        headers = {**headers_for([upstream_url]), "Content-Type": "application/json"}
        yield url, {"spent": lambda: spent(pid), "headers": headers}


OTHERS = {"LiteLLM proxy": _litellm_proxy, "Portkey gateway": _portkey}
