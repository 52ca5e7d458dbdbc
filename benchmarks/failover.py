"""What callers notice when providers fail: the engine beside LiteLLM's Router and OpenAI's SDK, in one run.

    python benchmarks/failover.py [--calls 120] [--at-once 10] [--only SCENE ...] [--json]

Every scene is played to each contestant on fresh servers on loopback: three equal models (one where the scene says so),
of which the first is broken. Each contestant is as it comes, but for one setting that all share: an attempt is given up
after two seconds without an answer. The engine chooses by UCB, without a cache; the Router shuffles one group of three
deployments (`num_retries=2`, its own cool-downs); the SDK has one endpoint and no failover, so it is given the broken
one. Libraries that are not installed are left out. Shown are, for each:

errors  calls that ended in an exception
wrong   calls that ended well with a text that is not the answer: half of it, or nothing
wasted  requests that reached the broken server, beside the one for each call where it is the only one there is
p50, p95  milliseconds until the caller had an answer or an error
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.testing import Answer, Begin, End, Fail, FaultServer, Hold, Refuse, RefuseInside, Send
from orchestrator.testing.faults import Fault, Head

RIGHT = "All is well."
ATTEMPT_S = 2.0
PRICE = {"input": 1.0, "output": 3.0}  # USD per million tokens
INSIDE = b'{"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}}'


@dataclass(frozen=True)
class Scene:
    """What the first server does to every request, and how it is asked."""

    name: str
    fault: Fault | None  # None: nobody listens
    models: int = 3
    stream: bool = False
    storm_s: float = math.inf  # so long after its first request the fault is over
    resume: bool = False  # who can is told to go on with a broken stream


SCENES = [
    Scene("dead, one of three: refused", None),
    Scene("dead, one of three: 503", Refuse(Fail(503))),
    Scene("dead, the only one: 503", Refuse(Fail(503)), models=1),
    Scene("hung, one of three", Hold()),
    Scene("hung stream, one of three", Hold(), stream=True),
    Scene("truncated stream, one of three", [Begin(1), End()], stream=True),
    Scene("truncated stream, gone on with", [Begin(1), End()], stream=True, resume=True),
    Scene("error inside a reply of 200", [Head(length=len(INSIDE)), Send(INSIDE)]),
    Scene("error inside a stream", [Begin(0), RefuseInside()], stream=True),
    Scene("429 storm, one of three", Refuse(Fail(429, retry_after_s=5))),
    Scene("429 for 1 s, the only one", Refuse(Fail(429, retry_after_s=1)), models=1, storm_s=1.0),
    Scene("429 for 1.5 s, told 1 s, the only one", Refuse(Fail(429, retry_after_s=1)), models=1, storm_s=1.5),
]


class Contestant(Protocol):
    """A client of some models."""

    name: str

    async def ask(self, prompt: str) -> str | None:
        """The text of a whole answer."""

    async def listen(self, prompt: str) -> str:
        """The text of a stream; `listen_on` of who can go on with a broken one by another model."""

    async def close(self) -> None:
        """Let go of connections."""


class Engine:
    """This package, its selection and limits as they come."""

    name = "engine"

    def __init__(self, urls: Sequence[str]) -> None:
        from orchestrator import ModelRegistry, OpenAIModel

        self.registry = ModelRegistry(seed=0, cache_responses=False)
        for number, url in enumerate(urls):
            name = f"m{number}"
            model = OpenAIModel(
                name=name, id=name, api_key=f"k{number}", base_url=url, first_byte_s=ATTEMPT_S, cost=PRICE
            )
            self.registry.register_model(model)

    async def ask(self, prompt: str) -> str | None:
        return (await self.registry.generate_response(prompt)).text

    async def listen(self, prompt: str) -> str:
        return "".join([chunk.text async for chunk in self.registry.stream_response(prompt)])

    async def listen_on(self, prompt: str) -> str:
        return "".join([chunk.text async for chunk in self.registry.stream_response(prompt, resume=True)])

    async def close(self) -> None:
        await self.registry.cleanup()


class Router:
    """LiteLLM's Router, one group."""

    name = "LiteLLM Router"

    def __init__(self, urls: Sequence[str]) -> None:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches its price list
        import litellm

        litellm.suppress_debug_info = True
        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
        logging.getLogger("LiteLLM Router").setLevel(logging.CRITICAL)
        deployments = [
            {
                "model_name": "m",
                "litellm_params": {"model": "openai/m", "api_base": url, "api_key": f"k{number}"},
            }
            for number, url in enumerate(urls)
        ]
        self.router = litellm.Router(model_list=deployments, num_retries=2, timeout=ATTEMPT_S, stream_timeout=ATTEMPT_S)

    async def ask(self, prompt: str) -> str | None:
        text: str | None = (await self._asked(prompt)).choices[0].message.content
        return text

    async def listen(self, prompt: str) -> str:
        return "".join([_words(chunk) async for chunk in await self._asked(prompt, stream=True)])

    async def _asked(self, prompt: str, **options: Any) -> Any:
        return await self.router.acompletion(model="m", messages=[{"role": "user", "content": prompt}], **options)

    async def close(self) -> None:
        self.router.reset()


class SDK:
    """OpenAI's client, with the retries it comes with, at the broken endpoint."""

    name = "openai SDK"

    def __init__(self, urls: Sequence[str]) -> None:
        import openai

        self.client = openai.AsyncOpenAI(api_key="k0", base_url=urls[0], timeout=ATTEMPT_S)

    async def ask(self, prompt: str) -> str | None:
        text: str | None = (await self._asked(prompt)).choices[0].message.content
        return text

    async def listen(self, prompt: str) -> str:
        return "".join([_words(chunk) async for chunk in await self._asked(prompt, stream=True)])

    async def _asked(self, prompt: str, **options: Any) -> Any:
        messages: Any = [{"role": "user", "content": prompt}]
        return await self.client.chat.completions.create(model="m", messages=messages, **options)

    async def close(self) -> None:
        await self.client.close()


def _words(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


CONTESTANTS: list[Callable[[Sequence[str]], Contestant]] = [Engine, Router, SDK]


class Storm:
    """A fault that is over so long after the first request that met it."""

    def __init__(self, fault: Any, lasts_s: float) -> None:
        self.fault, self.lasts_s, self.ends_at = fault, lasts_s, math.inf

    async def play(self, line: Any) -> None:
        now = time.monotonic()
        if self.ends_at == math.inf:
            self.ends_at = now + self.lasts_s
        await (self.fault if now < self.ends_at else Answer()).play(line)


class GoesOn:
    """An answer, or the rest of the one that was begun elsewhere and is shown in the request."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server

    async def play(self, line: Any) -> None:
        messages = json.loads(self.server.requests[-1].body)["messages"]
        said = next((turn["content"] for turn in messages if turn["role"] == "assistant"), "")
        await Answer(RIGHT.removeprefix(said)).play(line)


async def played(
    scene: Scene, make: Callable[[Sequence[str]], Contestant], calls: int, at_once: int
) -> dict[str, object]:
    """One contestant through one scene."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(FaultServer()) for _ in range(scene.models)]
        if scene.fault is None:
            await servers[0].__aexit__()
        else:
            servers[0].break_with(scene.fault if scene.storm_s == math.inf else Storm(scene.fault, scene.storm_s))
        for server in servers[1:]:
            server.break_with(GoesOn(server))
        contestant = make([server.base_url() for server in servers])
        stack.push_async_callback(contestant.close)
        door = contestant.listen if scene.stream else contestant.ask
        if scene.resume:
            door = getattr(contestant, "listen_on", door)
        seen = await asked_by_many(door, calls, at_once)
    needed = calls if scene.models == 1 else 0
    wasted = None if scene.fault is None else max(0, len(servers[0].requests) - needed)
    return {"scene": scene.name, "contestant": contestant.name, "calls": calls, "wasted": wasted, **_figures(seen)}


async def asked_by_many(
    door: Callable[[str], Awaitable[str | None]], calls: int, at_once: int
) -> list[tuple[str, float]]:
    """What became of every call ("right", "wrong", or the class of the error), and after how many seconds."""
    numbers, seen = iter(range(calls)), []

    async def caller() -> None:
        for number in numbers:
            started = time.perf_counter()
            try:
                end = "right" if await door(f"question {number}") == RIGHT else "wrong"
            except Exception as error:  # noqa: BLE001 - to be counted, whatever it is
                end = type(error).__name__
            seen.append((end, time.perf_counter() - started))

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return seen


def _figures(seen: Sequence[tuple[str, float]]) -> dict[str, object]:
    cuts = statistics.quantiles([1e3 * seconds for _, seconds in seen], n=20)
    kinds = [end for end, _ in seen]
    wrong, right = kinds.count("wrong"), kinds.count("right")
    names = sorted(set(kinds) - {"right", "wrong"})
    return {"errors": len(kinds) - wrong - right, "wrong": wrong, "p50": cuts[9], "p95": cuts[18], "named": names}


def installed() -> list[Callable[[Sequence[str]], Contestant]]:
    """Those that can be made here."""
    found = []
    for make in CONTESTANTS:
        try:
            make(["http://127.0.0.1:9/v1"])
        except ImportError as missing:
            print(f"left out: {missing}", file=sys.stderr)
        else:
            found.append(make)
    return found


async def all_played(options: argparse.Namespace) -> list[dict[str, object]]:
    """Every scene, contestant by contestant."""
    rows, found = [], installed()
    for scene in SCENES:
        if options.only and not any(part in scene.name for part in options.only):
            continue
        for make in found:
            rows.append(await played(scene, make, options.calls, options.at_once))
            if not options.json:
                show(rows[-1])
    return rows


def show(row: dict[str, Any]) -> None:
    """One line."""
    wasted = "-" if row["wasted"] is None else row["wasted"]
    print(
        f"{row['scene']:38} {row['contestant']:15} {row['errors']:6} {row['wrong']:6} {wasted:>6}"
        f" {row['p50']:8.1f} {row['p95']:8.1f}  {', '.join(row['named'])}",
        flush=True,
    )


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=10)
    parser.add_argument("--only", nargs="*", metavar="SCENE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.json:
        print(f"{'scene':38} {'contestant':15} {'errors':>6} {'wrong':>6} {'wasted':>6} {'p50 ms':>8} {'p95 ms':>8}")
    rows = asyncio.run(all_played(options))
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
