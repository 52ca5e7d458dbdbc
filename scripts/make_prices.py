"""Write orchestrator/data/prices.json from the installed `genai-prices` package; prices are never typed by hand.

    python scripts/make_prices.py            write the file, dated today
    python scripts/make_prices.py --check    fail when the committed file is not what its package version gives

What is in it, and how it is worked out: `orchestrator/core/price_source.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers

from orchestrator.core.price_source import PACKAGE, price_data

FILE = Path(__file__).parents[1] / "orchestrator" / "data" / "prices.json"
MOST_BYTES = 300_000


def main(arguments: list[str] | None = None) -> int:
    """Write or check; the exit code is 1 when the check fails."""
    parser = argparse.ArgumentParser(description="Generate the price snapshot from genai-prices.")
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    if parser.parse_args(arguments).check:
        return check()
    text = snapshot(datetime.now(UTC).date())
    FILE.write_text(text, encoding="utf-8")
    print(f"{FILE}: {len(text.encode()):,} bytes from {PACKAGE} {version(PACKAGE)}")
    return 0


def check() -> int:
    """Compare the committed file with what the same version of the package gives for the same date."""
    committed = FILE.read_text(encoding="utf-8")
    head = json.loads(committed)
    if head["version"] != version(PACKAGE):
        print(f"skipped: {FILE.name} is from {PACKAGE} {head['version']}, installed is {version(PACKAGE)}")
        return 0
    if committed != snapshot(date.fromisoformat(head["date"])):
        print(f"{FILE} differs from {PACKAGE} {version(PACKAGE)}: run python scripts/make_prices.py", file=sys.stderr)
        return 1
    print(f"{FILE.name} is what {PACKAGE} {version(PACKAGE)} gives for {head['date']}")
    return 0


def snapshot(day: date) -> str:
    """The whole file as text, one model a line."""
    data = price_data(providers, day)
    head = {key: value for key, value in data.items() if key != "providers"}
    blocks = ",\n".join(block(name, facts) for name, facts in data["providers"].items())
    text = f'{compact(head)[:-1]},"providers":{{\n{blocks}\n}}}}\n'
    if len(text.encode()) > MOST_BYTES:
        raise SystemExit(f"{len(text.encode()):,} bytes, allowed are {MOST_BYTES:,}: leave out more providers")
    return text


def block(name: str, facts: dict[str, Any]) -> str:
    """One provider."""
    rows = ",\n".join(compact(row) for row in facts["models"])
    head = "".join(f'"{key}":{compact(value)},' for key, value in facts.items() if key != "models")
    return f'"{name}":{{{head}"models":[\n{rows}\n]}}'


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    raise SystemExit(main())
