"""What watchers of the dashboard cost the gateway: the share of its core that goes to a crowd under steady traffic.

    python benchmarks/dashboard.py [--watchers 1000] [--seconds 8] [--rounds 3]

Upstream, gateway, callers and watchers each run in a process of their own. Calls come at the same pace with a crowd and
without, each of them changes what the page shows, and the gateway's CPU time is compared: a busy gateway is bound by
its CPU, so that a share of the core is the share by which it answers fewer calls.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time

import aiohttp
from gateway import ASK, start

MOST_SHARE = 0.05
CALLS_PER_S = 100


async def crowd(url, number):
    """Watch, all of them, and say once everybody has seen the first frame."""
    seen = asyncio.Semaphore(0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as http:

        async def watch():
            async with http.get(url + "/dashboard/feed") as feed:
                assert feed.status == 200
                await feed.content.readuntil(b"event: whole\n")
                seen.release()
                while await feed.content.readany():
                    pass

        watchers = [asyncio.create_task(watch()) for _ in range(number)]
        for _ in range(number):
            await seen.acquire()
        print("all watch", flush=True)
        await asyncio.gather(*watchers)


async def busy(url, seconds):
    """CPU seconds a second that the gateway needs for so many calls."""
    body = json.dumps(ASK).encode()
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:

        async def call():
            async with http.post(url + "/v1/chat/completions", data=body) as answer:
                assert answer.status == 200
                await answer.read()

        async def cpu():
            async with http.get(url + "/cpu") as answer:
                return (await answer.json())[0]

        before, started = await cpu(), time.perf_counter()
        for number in range(round(seconds * CALLS_PER_S)):
            await asyncio.sleep(started + number / CALLS_PER_S - time.perf_counter())
            group.create_task(call())
        return (await cpu() - before) / (time.perf_counter() - started)


@contextlib.contextmanager
def watched(url, number):
    """A crowd, in a process of its own."""
    command = [sys.executable, __file__, "--crowd", url, "--watchers", str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as crowding:
        crowding.stdout.readline()
        yield
        crowding.kill()


def main():
    """Run it, print the share, and fail where the crowd is felt."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--crowd", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.crowd:
        asyncio.run(crowd(options.crowd, options.watchers))
        return
    upstream, upstream_url = start("upstream")
    gateway, url = start("ours", upstream_url)
    alone, crowded = [], []
    try:
        asyncio.run(busy(url, options.seconds / 2))  # what is imported and filled at first
        for _ in range(options.rounds):
            alone.append(asyncio.run(busy(url, options.seconds)))
            with watched(url, options.watchers):
                crowded.append(asyncio.run(busy(url, options.seconds)))
    finally:
        gateway.kill()
        upstream.kill()
    shares = sorted(with_crowd - without for with_crowd, without in zip(crowded, alone, strict=True))
    print(f"{CALLS_PER_S} calls/s alone: {statistics.median(alone):.1%} of a core")
    print(f"{options.watchers} watchers add {statistics.median(shares):.1%} ({shares[0]:.1%} to {shares[-1]:.1%})")
    if statistics.median(shares) > MOST_SHARE:
        sys.exit(f"more than {MOST_SHARE:.0%}")


if __name__ == "__main__":
    main()
