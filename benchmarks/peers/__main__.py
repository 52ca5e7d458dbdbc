"""The engine beside its peers, measured in one run, and the page that shows it.

    make bench-peers                                      in an environment of its own
    python benchmarks/peers [--scale 1] [--only calls hits]   in this one
    python benchmarks/peers --page-only                       from the figures of the last run
    python benchmarks/peers --check                           fail when the page says something else than these

Each part runs in a process of its own, one after the other; within a part all contestants take turns. What is not
installed is left out by name. Figures go to `benchmarks/peers/results.json`, the page to `docs/reference/peers.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
PAGE = ROOT / "docs" / "reference" / "peers.md"
PACKAGES = (
    "aiocache",
    "any-llm-sdk",
    "cashews",
    "diskcache",
    "langchain-core",
    "langchain-openai",
    "litellm",
    "mabwiser",
    "model-orchestrator",
    "openai",
    "pydantic-ai-slim",
    "tensorzero",
)
sys.path[:0] = [str(HERE.parent), str(ROOT)]


def main() -> None:
    """Measure, keep, and write the page."""
    from page import page
    from parts import PARTS
    from picture import draw

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rounds")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--page-only", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options.scale)))
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"parts": {}}
    if options.check:
        sys.exit(None if PAGE.read_text(encoding="utf-8") == page(results) else f"{PAGE.name}: --page-only")
    if not options.page_only:
        measure(results, options.only, options.scale)
    PAGE.write_text(page(results), encoding="utf-8")
    if "calls" in results["parts"]:
        draw(results["parts"]["calls"], PAGE.with_suffix(".png"))


def measure(results: dict[str, Any], names: list[str], scale: float) -> None:
    """Run each part in a process of its own; what fails has no figures then, and says so."""
    results["about"] = about()
    for name in names:
        load = os.getloadavg()[0]
        command = [sys.executable, str(HERE), "--part", name, "--scale", str(scale)]
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # else it fetches its price list
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT, check=False)
        if done.returncode:
            print(f"{name}: failed, left out", file=sys.stderr)
            results["parts"].pop(name, None)
            continue
        results["parts"][name] = json.loads(done.stdout.splitlines()[-1])
        results.setdefault("loads", {})[name] = load
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: done", file=sys.stderr)


def about() -> dict[str, Any]:
    """When, where, and which versions; how busy the machine was is noted with each part."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    versions["@portkey-ai/gateway"] = portkey_version()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "versions": versions,
    }


def portkey_version() -> str | None:
    """Of the package that npm has put into this environment, if it has."""
    package = Path(sys.prefix) / "node_modules" / "@portkey-ai" / "gateway" / "package.json"
    return json.loads(package.read_text())["version"] if package.exists() else None


if __name__ == "__main__":
    main()
