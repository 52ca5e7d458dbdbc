"""What a large registry costs: registering, keeping, finding, discovering and noting, with so many models.

    python benchmarks/registry.py [--models 10000] [--rounds 5] [--json]

Each line is the best of the rounds, in seconds; nothing is kept between them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from orchestrator.catalog import Discovery, ModelMall, ModelManager, ModelSource
from orchestrator.core.info import ModelInfo
from orchestrator.models.model_registry import ModelRegistry

QUERY = {
    "provider": {"$in": ["openai", "groq"]},
    "context_size": {"$gte": 64_000},
    "custom_metadata.score": {"$gt": 0.5},
}
PROVIDERS = ("openai", "anthropic", "groq", "mistral", "ollama")


def descriptions(count: int) -> list[ModelInfo]:
    """So many different models."""
    rng = random.Random(1)
    return [
        ModelInfo(
            id=f"{provider}/model-{number}",
            provider=provider,
            name=f"model-{number}",
            context_window=rng.choice((8_192, 32_768, 128_000)),
            capabilities={"vision": rng.random() < 0.5},
            cost={"input": rng.random() * 10, "output": rng.random() * 30},
            tags={rng.choice(("new", "old"))},
            custom_metadata={"score": rng.random()},
        )
        for number in range(count)
        for provider in (PROVIDERS[number % len(PROVIDERS)],)
    ]


class Descriptions(ModelSource):
    """Lists what it is given."""

    limit_s = 600.0

    def __init__(self, models: list[ModelInfo]) -> None:
        self._models = models

    def discover_models(self) -> list[ModelInfo]:
        return self._models


def timed(work: Callable[[], object]) -> float:
    """Seconds of one run."""
    since = time.perf_counter()
    work()
    return time.perf_counter() - since


def lines(infos: list[ModelInfo]) -> dict[str, float]:
    """One round: each piece of work on a registry of its own, or on the one that the others have filled."""
    registry = ModelRegistry()
    manager = ModelManager(registry, sources={"list": Descriptions(infos)}, discovery=Discovery(ttl_s=0))
    one_by_one = ModelRegistry()
    found = {
        "register all at once": timed(lambda: registry.register_models(infos)),
        "register one by one": timed(lambda: [one_by_one.register_model(info) for info in infos]),
        "first choice among them": timed(lambda: registry.select(provider="ollama", context_length=100_000)),
        "filter by keywords": timed(lambda: list(registry.filter(provider="openai", min_context_size=64_000))),
        "filter by a query": timed(lambda: list(registry.filter(query=QUERY))),
        "a shelf of the mall": timed(lambda: list(ModelMall(manager)["by_provider", "openai"])),
        "tag one model": timed(lambda: manager.add_model_tag(infos[0].id, "seen")),
    }
    fresh = ModelManager(ModelRegistry(), sources={"list": Descriptions(infos)}, discovery=Discovery(ttl_s=0))
    found["discover and register"] = timed(lambda: asyncio.run(fresh.discover("list", auto_register=True)))
    found["discover again, nothing new"] = timed(lambda: asyncio.run(fresh.discover("list", auto_register=True)))
    return found | kept(infos)


def kept(infos: list[ModelInfo]) -> dict[str, float]:
    """The same with a place to keep them: registered and saved, saved once more after one change, and loaded."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for ending in (".json", ".sqlite"):
            path, singles = Path(folder) / f"models{ending}", Path(folder) / f"one-by-one{ending}"
            found[f"register and save, {ending}"] = timed(partial(at_once, infos, path))
            found[f"load, {ending}"] = timed(partial(ModelRegistry, storage_path=path))
            found[f"one by one and save, {ending}"] = timed(partial(one_by_one, infos, singles))
    return found


def at_once(infos: list[ModelInfo], path: Path) -> None:
    """All in one go; they are on the disk when it returns."""
    ModelRegistry(storage_path=path).register_models(infos)


def one_by_one(infos: list[ModelInfo], path: Path) -> None:
    """Each by itself, and all of them on the disk at the end."""
    registry = ModelRegistry(storage_path=path)
    for info in infos:
        registry.register_model(info)
    registry.save()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="What a large registry costs.")
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="figures for machines")
    asked = parser.parse_args()
    infos = descriptions(asked.models)
    rounds = [lines(infos) for _ in range(asked.rounds)]
    best = {name: min(one[name] for one in rounds) for name in rounds[0]}
    if asked.json:
        print(json.dumps({"models": asked.models, "seconds": best}, indent=2))
        return
    print(f"{asked.models} models, best of {asked.rounds} rounds")
    for name, seconds in best.items():
        print(f"  {name:<30} {seconds * 1_000:>10.2f} ms")


if __name__ == "__main__":
    main()
