"""Which price of a model counts: declared by its user, set in the environment, told by a source, or listed."""

from __future__ import annotations

from orchestrator.core.cost import Cost
from orchestrator.core.info import ModelInfo
from orchestrator.core.prices import PriceBook

__all__ = ["price_of"]


def price_of(info: ModelInfo) -> Cost | None:
    """The price in force, in that order; None where nobody knows.

    >>> told = {"cost": {"input": 1.0, "output": 2.0, "tiers": [], "changes": []}}
    >>> price_of(ModelInfo(id="openai/gpt-4o", cost={"input": 1, "output": 2}, discovered=told))
    Cost(input=1.0, output=2.0)
    >>> price_of(ModelInfo(id="openai/gpt-4o")).input
    2.5
    """
    if info.cost is None:
        return PriceBook.default().cost_of(info.provider, info.name)
    told = info.discovered.get("cost")
    if told is None or told != info.model_dump(mode="json", include={"cost"}, exclude_none=True)["cost"]:
        return info.cost
    return PriceBook.default().laid_over(info.provider, info.name, info.cost)
