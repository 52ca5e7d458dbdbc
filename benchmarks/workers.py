"""What several processes lose against one: the regret of four workers that share through Redis, alone, and of one.

    python benchmarks/workers.py [--policy pool] [--models 8] [--requests 10000] [--rate 40] [--seeds 40]

Workers are processes, the state is a redis-server of their own. Each tenth of a second of traffic is dealt out to the
workers in equal parts; once a second they meet. An answer takes `--latency` seconds, for one process as for many.
Qualities are drawn for each seed; an answer is right or wrong. Regret is the sum of what the best model would have been
worth more, in right answers.
"""

import argparse
import asyncio
import json
import logging
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque

from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors import selector_named
from orchestrator.state.redis import RedisState
from orchestrator.state.sharing import Sharing

STEPS = 10  # of a second
QUESTION = Request.of("?")


class Ready(Model):
    """A model that could be called; here only what comes of a call is told."""

    async def generate_response(self, prompt, **params):  # noqa: ARG002 - the contract
        """An answer."""
        return "!"

    async def health_check(self):
        """Always fit."""
        return True


def qualities_of(models, seed):
    """How often each model is right."""
    rng = random.Random(f"qualities {seed}")
    return {f"model-{number}": rng.uniform(0.4, 0.9) for number in range(models)}


class Player:
    """One process: it chooses, hears whether the answer was right, and adds up its regret."""

    def __init__(self, policy, qualities, seed, state, latency):
        sharing = None if state is None else Sharing(state)
        self.latency = latency
        self.registry = ModelRegistry(model_selector=selector_named(policy), state=sharing, seed=seed)
        self.registry.register_models([Ready(id=name, provider="custom", context_size=8192) for name in qualities])
        self.qualities, self.best = qualities, max(qualities.values())
        self.luck = random.Random(f"luck {seed}")
        self.regret = 0.0
        self.under_way = deque([[] for _ in range(latency * STEPS)])  # by the step in which they left
        self.meets_in_s = 1.0

    def play(self, requests):
        """A step: answers come in, and so many requests go out."""
        settlement, leaving = self.registry.settlement, []
        self.under_way.append(leaving)
        for model, quality in self.under_way.popleft() if self.latency else ():
            settlement.settle(model, Outcome(model_id=model.id, latency_s=0.5, quality=quality))
        for _ in range(requests):
            model = self.registry.select().model
            right = self.luck.random() < self.qualities[model.id]
            settlement.begin(model, QUESTION)
            if self.latency:
                leaving.append((model, float(right)))
            else:
                settlement.settle(model, Outcome(model_id=model.id, latency_s=0.5, quality=float(right)))
            self.regret += self.best - self.qualities[model.id]

    async def meet(self):
        """Tell the others what is new, and hear it from them, if it is time to."""
        sharing = self.registry.sharing
        self.meets_in_s -= 1 / STEPS
        if sharing is not None and self.meets_in_s < 1e-9:
            await sharing.sync()
            self.meets_in_s = sharing.every_s

    async def end(self):
        """Let go of the connection."""
        if self.registry.sharing is not None:
            await self.registry.sharing.close()


async def worker():
    """Do what the lines on stdin say: begin a new game, or play so many requests; tell the regret so far."""
    logging.disable(logging.WARNING)  # nothing here has a price, and each registry says so
    player = None
    for line in sys.stdin:
        told = json.loads(line)
        if isinstance(told, dict):
            qualities = qualities_of(told["models"], told["world"])
            if player is not None:
                await player.end()
            state = told["state"] and RedisState(told["state"], namespace=f"game-{told['world']}", limit_s=5.0)
            player = Player(told["policy"], qualities, seed_of(told["luck"]), state, told["latency"])
        else:
            player.play(told)
        await player.meet()
        print(player.regret, flush=True)


class Fleet:
    """Worker processes, spoken to by lines."""

    def __init__(self, workers):
        command = [sys.executable, __file__, "--worker"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.workers = [subprocess.Popen(command, **pipes) for _ in range(workers)]

    def told(self, lines):
        """Tell each of so many workers its line; the regret of all of them so far."""
        for one, line in zip(self.workers, lines, strict=False):
            one.stdin.write(json.dumps(line) + "\n")
            one.stdin.flush()
        return sum(float(one.stdout.readline()) for one, _ in zip(self.workers, lines, strict=False))

    def end(self):
        """No more traffic."""
        for one in self.workers:
            one.stdin.close()
            one.wait()
            one.stdout.close()


def played(fleet, workers, state, arguments, seed):
    """The regret of so many workers over all the traffic."""
    game = {"policy": arguments.policy, "models": arguments.models, "world": seed, "state": state}
    game["latency"] = arguments.latency
    regret = fleet.told([{**game, "luck": f"{seed} {number}"} for number in range(workers)])
    for step in range(arguments.requests * STEPS // arguments.rate):
        dealt, due = (at * arguments.rate // STEPS for at in (step, step + 1))
        shares = [sum(one % workers == place for one in range(dealt, due)) for place in range(workers)]
        regret = fleet.told(shares)
    return regret


def redis_server(folder):
    """A server of our own, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        sys.exit("no redis-server: apt-get install redis-server (or valkey-server), then run again")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--loglevel", "warning"]
    server = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.01)
    return server, f"redis://127.0.0.1:{port}"


def main():
    """Play all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policy", default="pool")
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=40, help="requests a second, of the whole fleet")
    parser.add_argument("--latency", type=int, default=1, help="seconds that an answer takes")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        asyncio.run(worker())
        return
    with tempfile.TemporaryDirectory() as folder:
        server, url = redis_server(folder)
        fleet = Fleet(arguments.workers)
        try:
            report(fleet, arguments, url)
        finally:
            fleet.end()
            server.kill()
            server.wait()


def seed_of(text):
    """A seed from a text, the same in every process."""
    return random.Random(text).getrandbits(31)


def report(fleet, arguments, url):
    """Regret by fleet, and each against one process."""
    fleets = {"one process": (1, None), "sharing": (arguments.workers, url), "each alone": (arguments.workers, None)}
    regrets = {name: [] for name in fleets}
    for seed in range(arguments.seeds):
        for name, (workers, state) in fleets.items():
            regrets[name].append(played(fleet, workers, state, arguments, seed))
    one = statistics.mean(regrets["one process"])
    print(f"{arguments.policy}, {arguments.models} models, {arguments.requests} requests at {arguments.rate} a second")
    for name, values in regrets.items():
        workers = fleets[name][0]
        mean = statistics.mean(values)
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        print(f"  {workers} x {name:12} regret {mean:7.1f} +- {error:5.1f}   {mean / one:.2f} of one process")


if __name__ == "__main__":
    main()
