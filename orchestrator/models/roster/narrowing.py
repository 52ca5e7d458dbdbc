"""Which of the registered models a caller means: every condition of `filter`, as one function of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchestrator.core.model import Model
from orchestrator.core.query import compiled
from orchestrator.core.requirements import ANY, Requirements, why_not
from orchestrator.models.roster.entries import within

__all__ = ["narrowed"]

Test = Callable[[Model], bool]


def narrowed(
    *,
    min_context_size: int | None = None,
    max_context_size: int | None = None,
    has_capabilities: Iterable[str] | None = None,
    capabilities: Iterable[str] | None = None,
    version: str | Iterable[str] | None = None,
    max_input_price: float | None = None,
    max_output_price: float | None = None,
    query: Mapping[str, Any] | None = None,
    **wanted: Any,
) -> Test:
    """A function that is true for the models meant; a condition that is none raises here and not at the first model.

    Prices are USD per million tokens. A context size, version or price that is not known meets no bound on it.
    """
    able = [*_names(has_capabilities), *_names(capabilities)]
    needs = Requirements.of(capabilities=able or None, **wanted)
    tests: list[Test] = [] if needs == ANY else [lambda model: why_not(model, needs) is None]
    if min_context_size is not None or max_context_size is not None:
        least, most = _bound("min_context_size", min_context_size), _bound("max_context_size", max_context_size)
        tests.append(lambda model: within(model.info.context_window, least, most))
    if version is not None:
        versions = frozenset(_names(version))
        tests.append(lambda model: model.info.version in versions)
    for kind, most_usd in (("input", max_input_price), ("output", max_output_price)):
        if _bound(f"max_{kind}_price", most_usd) is not None:
            tests.append(_cheap(kind, most_usd))
    if query is not None:
        tests.append(compiled(query))
    return tests[0] if len(tests) == 1 else lambda model: all(test(model) for test in tests)


def _names(given: str | Iterable[str] | None) -> list[str]:
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _bound(name: str, value: Any) -> Any:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError(f"{name} is a number, not {value!r}")
    return value


def _cheap(kind: str, most_usd: Any) -> Test:
    """A price known and within the bound."""

    def test(model: Model) -> bool:
        usd = None if model.cost is None else getattr(model.cost, kind)
        return usd is not None and usd <= most_usd

    return test
