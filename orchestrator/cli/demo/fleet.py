"""The models of the demo: invented names, and prices, speeds and strengths as the market of 2026 has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from orchestrator.core.cost import Cost
from orchestrator.core.info import ModelInfo
from orchestrator.testing.behaviour import EmulatedModel

if TYPE_CHECKING:
    from orchestrator.testing.emulator import Emulator

__all__ = ["FLEET", "TIME_SCALE", "dearest", "id_of", "infos"]

TIME_SCALE = 10  # an emulated second takes a tenth of one, so that the demo is over soon
_SPREAD = 0.35  # log-normal: two thirds of the calls lie between 0.7 and 1.4 times the median


def _model(
    provider: str, name: str, usd_per_1m: tuple[float, float], median_s: float, quality: tuple[float, ...]
) -> EmulatedModel:
    """A row of the table below; quality is the share of right answers in arithmetic, classification, ..."""
    skills = ("arithmetic", "classification", "code", "extraction", "strings")
    return EmulatedModel(
        name,
        provider=provider,
        latency_s=median_s / TIME_SCALE,
        latency_spread=_SPREAD,
        quality=dict(zip(skills, quality, strict=True)),
        input_usd_per_1m=usd_per_1m[0],
        output_usd_per_1m=usd_per_1m[1],
    )


FLEET = (
    # provider, name, USD per 1M tokens in and out, median seconds; share right in sums, labels, code, extraction, text
    _model("anthropic", "sonata-max", (5.00, 25.00), 4.2, (0.98, 0.97, 0.98, 0.98, 0.94)),
    _model("anthropic", "sonata-lite", (1.00, 5.00), 1.7, (0.66, 0.90, 0.84, 0.88, 0.62)),
    _model("openai", "atlas-pro", (1.75, 14.00), 3.4, (0.97, 0.94, 0.93, 0.95, 0.93)),
    _model("openai", "atlas-mini", (0.25, 2.00), 1.1, (0.92, 0.95, 0.90, 0.94, 0.86)),
    _model("google", "comet-pro", (2.00, 12.00), 3.1, (0.96, 0.95, 0.84, 0.97, 0.88)),
    _model("google", "comet-flash", (0.30, 2.50), 0.8, (0.84, 0.93, 0.76, 0.92, 0.78)),
    _model("ollama", "wren-32b", (0.00, 0.00), 3.8, (0.55, 0.80, 0.58, 0.68, 0.44)),
    _model("ollama", "wren-3b", (0.00, 0.00), 1.2, (0.18, 0.62, 0.12, 0.28, 0.14)),
)


def id_of(model: EmulatedModel) -> str:
    """What the registry calls it.

    >>> id_of(FLEET[0])
    'anthropic/sonata-max'
    """
    return f"{model.provider}/{model.name}"


def dearest() -> EmulatedModel:
    """The one with the highest list price: what "just take the best" comes down to before anything was measured."""
    return max(FLEET, key=lambda model: model.output_usd_per_1m)


def infos(emulator: Emulator) -> list[ModelInfo]:
    """The fleet as a user would register it: provider, name, price, address; nothing about strengths or speed."""
    return [
        ModelInfo(
            id=id_of(model),
            provider=model.provider,
            name=model.name,
            cost=Cost(input=model.input_usd_per_1m, output=model.output_usd_per_1m),
            base_url=emulator.base_url(model.provider),
            api_key=SecretStr("none-needed"),
            is_local=model.provider == "ollama",
        )
        for model in FLEET
    ]
