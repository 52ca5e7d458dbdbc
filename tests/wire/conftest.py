"""A table at the end of the run: how many recorded bodies of each provider and kind were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

_READ: pytest.StashKey[Counter[tuple[str, str]]] = pytest.StashKey()


@pytest.fixture
def tally(request) -> Callable[[Any], None]:
    """Counts a recording that was read as expected."""
    counter = request.config.stash.setdefault(_READ, Counter())

    def count(recording: Any) -> None:
        facts = recording.facts
        counter[facts["provider"], facts["kind"] + ("/stream" if recording.is_stream else "")] += 1

    return count


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Provider by kind."""
    counter = config.stash.get(_READ, Counter())
    if not counter:
        return
    providers, kinds = sorted({p for p, _ in counter}), sorted({k for _, k in counter})
    terminalreporter.section(f"recorded bodies read: {sum(counter.values())}")
    terminalreporter.line("".join(f"{name:>18}" for name in ("provider", *kinds)))
    for provider in providers:
        cells = (str(counter[provider, kind] or "") for kind in kinds)
        terminalreporter.line(f"{provider:>18}" + "".join(f"{cell:>18}" for cell in cells))
