"""Requests a second through the gateway beside a bare aiohttp JSON gateway, interleaved in one run.

    python benchmarks/gateway.py [--seconds 3] [--rounds 3]

Upstream, gateways and load each run in a process of their own; the ratio is of the gateway process's own CPU time a
request, which does not depend on what else the machine does, and of requests a second, which does.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
from aiohttp import web

ASK = {"model": "m", "messages": [{"role": "user", "content": "What is 2 + 3?"}]}
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Five."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14},
}
PIECES = 20


# the far end: answers at once


async def upstream(request):
    """A whole answer, or one in pieces."""
    body = json.loads(await request.read())
    if not body.get("stream"):
        return web.Response(body=json.dumps(REPLY).encode(), content_type="application/json")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    frames = [{**head, "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}] * PIECES
    frames.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    data = b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames)
    await response.write(data + b"data: [DONE]\n\n")
    await response.write_eof()
    return response


# the bare gateway: JSON in, JSON out, JSON in, JSON out, and nothing else


class Bare:
    """What any Python gateway has to do at least."""

    def __init__(self, upstream_url):
        self.url = upstream_url
        self.session = None

    async def chat(self, request):
        """Pass one request on."""
        if self.session is None:
            self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body = json.loads(await request.read())
        async with self.session.post(self.url + "/chat/completions", data=json.dumps(body).encode()) as answer:
            if not body.get("stream"):
                return web.Response(
                    body=json.dumps(json.loads(await answer.read())).encode(), content_type="application/json"
                )
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    await response.write(b"data: " + json.dumps(json.loads(line[6:])).encode() + b"\n\n")
            await response.write(b"data: [DONE]\n\n")
            await response.write_eof()
            return response


async def cpu(_):
    """The CPU seconds and peak kilobytes of this process."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    return web.json_response([used.ru_utime + used.ru_stime, used.ru_maxrss])


def measured(application):
    """The application, which also answers /cpu."""
    application.router.add_get("/cpu", cpu)
    return application


async def listen(application):
    """Serve, and tell the port."""
    runner = web.AppRunner(measured(application), access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def role(name, upstream_url):
    """One of the servers, for ever."""
    if name == "upstream":
        application = web.Application()
        application.router.add_post("/chat/completions", upstream)
        await listen(application)
    elif name == "bare":
        application = web.Application()
        application.router.add_post("/v1/chat/completions", Bare(upstream_url).chat)
        await listen(application)
    else:
        await serve(upstream_url)


async def serve(upstream_url):
    """Our gateway, as `orchestrator serve` runs it."""
    from orchestrator import ModelRegistry, OpenAIModel
    from orchestrator.gateway import Gateway, GatewaySettings
    from orchestrator.gateway.serving import serve_until_told

    class Measured(Gateway):
        def application(self):
            return measured(super().application())

    registry = ModelRegistry("pool")
    registry["m"] = OpenAIModel(name="m", api_key="none", base_url=upstream_url)
    await serve_until_told(
        Measured(registry, GatewaySettings(port=0)), ready=lambda url: print(url.rpartition(":")[2], flush=True)
    )


def start(name, upstream_url=""):
    """The server in a process of its own, and its address."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--role", name, "--upstream", upstream_url],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    return process, f"http://127.0.0.1:{process.stdout.readline().decode().strip()}"


async def load(url, *, seconds, workers, stream, spent=None, headers=None):
    """Requests a second, CPU microseconds a request, median seconds, peak MB; `spent` reads what /cpu would tell."""
    body = json.dumps(ASK | {"stream": stream}).encode()
    took = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as http:

        async def cpu():
            if spent:
                return spent()
            async with http.get(url + "/cpu") as answer:
                return await answer.json()

        async def worker(until):
            while time.perf_counter() < until:
                started = time.perf_counter()
                async with http.post(url + "/v1/chat/completions", data=body) as answer:
                    await answer.read()
                    assert answer.status == 200
                took.append(time.perf_counter() - started)

        await worker(time.perf_counter() + 0.3)
        took.clear()
        before, started = (await cpu())[0], time.perf_counter()
        await asyncio.gather(*(worker(started + seconds) for _ in range(workers)))
        elapsed_s, (after, peak_kb) = time.perf_counter() - started, await cpu()
    return len(took) / elapsed_s, (after - before) / len(took) * 1e6, statistics.median(took), peak_kb / 1024


def main():
    """Measure, and print one table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--role")
    parser.add_argument("--upstream", default="")
    options = parser.parse_args()
    if options.role:
        asyncio.run(role(options.role, options.upstream))
        return
    far, far_url = start("upstream")
    bare, bare_url = start("bare", far_url)
    ours, ours_url = start("ours", far_url)
    try:
        for title, workers, stream in (("one at a time", 1, False), ("64 at once", 64, False), ("streams", 64, True)):
            report(title, bare_url, ours_url, options, workers=workers, stream=stream)
    finally:
        for process in (ours, bare, far):
            process.kill()


def report(title, bare_url, ours_url, options, *, workers, stream):
    """One line a kind of load: both gateways, interleaved, and the ratio of each round."""
    kind = {"seconds": options.seconds, "workers": workers, "stream": stream}
    rounds = [[asyncio.run(load(url, **kind)) for url in (bare_url, ours_url)] for _ in range(options.rounds)]
    print(f"\n{title}")
    for name, place in (("bare aiohttp", 0), ("orchestrator", 1)):
        rps, cpu, median, peak = (statistics.median(one[place][at] for one in rounds) for at in range(4))
        speed = f"{rps:7.0f} req/s  {cpu:6.0f} us CPU = {1e6 / cpu:6.0f} req/s a core"
        print(f"  {name:13} {speed}  p50 {median * 1e3:6.2f} ms  peak {peak:4.0f} MB")
    ratios = [one[0][1] / one[1][1] for one in rounds]
    spread = f"({min(ratios):.2f}-{max(ratios):.2f})"
    print(f"  of the bare gateway's requests a core: {statistics.median(ratios):.2f} {spread}")
    if workers == 1:
        added = [(one[1][2] - one[0][2]) * 1e6 for one in rounds]
        print(f"  p50 above the bare gateway: {statistics.median(added):.0f} us ({min(added):.0f}-{max(added):.0f})")


if __name__ == "__main__":
    main()
