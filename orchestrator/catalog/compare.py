"""Models side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.core.model import Model

__all__ = ["compared"]


def compared(models: Iterable[Model]) -> dict[str, dict[str, Any]]:
    """What is known of each model by property, then by id; None is unknown. Prices are USD per million tokens.

    >>> table = compared([Model(id="a", provider="x", context_size=8192), Model(id="b", provider="y")])
    >>> table["context_window"], table["input_usd_per_1m"]
    ({'a': 8192, 'b': None}, {'a': None, 'b': None})
    """
    rows = {model.id: _properties(model) for model in models}
    names = dict.fromkeys(name for row in rows.values() for name in row)
    return {name: {model_id: row.get(name) for model_id, row in rows.items()} for name in names}


def _properties(model: Model) -> dict[str, Any]:
    info, cost, metrics = model.info, model.cost, model.metrics
    return {
        "provider": info.provider,
        "version": info.version,
        "context_window": info.context_window,
        "max_output_tokens": info.capabilities.max_tokens,
        "input_usd_per_1m": None if cost is None else cost.input,
        "output_usd_per_1m": None if cost is None else cost.output,
        "is_local": info.is_local,
        "capabilities": sorted(info.capabilities.names),
        "tags": sorted(info.tags),
        "deprecation_date": None if info.deprecation_date is None else info.deprecation_date.isoformat(),
        "calls": metrics.calls,
        "success_rate": metrics.success_rate,
        "latency_p50_s": metrics.latency_p50,
        "tokens_per_s": metrics.throughput,
        "cost_per_call_usd": metrics.cost_per_call_usd,
        **{f"benchmark {name}": score for name, score in sorted(_scores(info.custom_metadata).items())},
    }


def _scores(notes: Mapping[str, Any]) -> dict[str, Any]:
    scores = notes.get("benchmarks")
    return dict(scores) if isinstance(scores, Mapping) else {}
