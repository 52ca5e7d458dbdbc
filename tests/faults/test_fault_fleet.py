"""A fleet with dead models keeps its callers whole, whatever they died of."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from fault_row import NEXT
from fault_stage import Hurried
from fault_table import ROWS

from orchestrator.errors import OrchestratorError
from orchestrator.integrations import OpenAIModel, close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import FaultServer

SEED = 20260801
# every fault of the table that ends at once and sends little, in OpenAI's dialect
QUICK = [
    row.play
    for row in ROWS
    if row.played and row.then == NEXT and row.limit == "at once" and row.provider == "openai" and not row.stream
    if row.play is not None and not callable(row.play) and row.number not in (16, 50)
]


class Dying:
    """Meets every request with another fault."""

    def __init__(self, seed):
        self.draw = Random(seed)

    async def play(self, line):
        fault = self.draw.choice(QUICK)
        for act in fault if isinstance(fault, list | tuple) else [fault]:
            await act.play(line)
        line.close()


async def calls_of(registry, number, at_once=50):
    """So many calls; how many were answered."""
    answered = 0
    for _ in range(number // at_once):
        asked = (registry.generate_response("Hello") for _ in range(at_once))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, OrchestratorError):
                raise answer
            answered += not isinstance(answer, BaseException)
    return answered


@pytest.mark.parametrize(("dead", "share"), [(1, 0.999), (2, 0.995)])
async def test_callers_of_a_fleet_are_answered_whatever_its_dead_died_of(dead, share):
    """One of three dead: 99.9 %; two: 99.5 %. The dead ones are preferred, and asked by ever fewer calls."""
    servers = [FaultServer() for _ in range(3)]
    registry = ModelRegistry("cost", clock=Hurried(), seed=SEED)
    registry.recall.cache = None
    for number, server in enumerate(servers):
        await server.__aenter__()
        if number < dead:
            server.break_with(Dying(SEED + number))
        price = {"input": number + 1, "output": number + 1}
        registry.register_model(
            OpenAIModel(
                name=f"m{number}", id=f"m{number}", api_key=f"k{number}", base_url=server.base_url(), cost=price
            )
        )
    number = 2_000
    answered = await calls_of(registry, number)
    await close_sessions()
    wasted = sum(len(server.requests) for server in servers[:dead])
    for server in servers:
        await server.__aexit__()
    assert len(QUICK) > 40
    assert answered >= share * number
    assert wasted < 0.1 * number
