"""A gateway on a thread of its own, with emulated models behind it and a browser, or anything else, in front."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

from gateway_stage import stage

from orchestrator.testing import EmulatedModel

OPERATOR_KEY = "operator-key-for-tests"


class Scene:
    """What a test that blocks needs of a gateway: its address, its parts, and somebody who asks."""

    def __init__(self, built, stop):
        self.stop = stop
        self.url, self.registry, self.emulator, self.gateway = built.url, built.registry, built.emulator, built.gateway

    def ask(self, words, model="auto"):
        """One prompt through the gateway, as any client would send it."""
        body = {"model": model, "messages": [{"role": "user", "content": words}]}
        return self.post("/v1/chat/completions", body)

    def act(self, action, model, key=OPERATOR_KEY):
        """Status and reply of a button's call."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.post("/dashboard/actions", {"action": action, "model": model}, headers)

    def post(self, path, body, headers=None):
        headers = {"Content-Type": "application/json", **(headers or {})}
        return self._call(urllib.request.Request(self.url + path, json.dumps(body).encode(), headers))

    def get(self, path, headers=None):
        return self._call(urllib.request.Request(self.url + path, headers=headers or {}))

    @staticmethod
    def _call(request):
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)


@contextmanager
def scene(*models, keys=(), **options):
    """A scene that lasts as long as the block; two models unless told otherwise."""
    built, started = [], threading.Event()

    async def serve():
        try:
            async with stage(
                *(models or (EmulatedModel("first"), EmulatedModel("second"))),
                keys=keys,
                operator_key=OPERATOR_KEY,
                **options,
            ) as on_stage:
                loop, told = asyncio.get_running_loop(), asyncio.Event()
                built.append(Scene(on_stage, lambda: loop.call_soon_threadsafe(told.set)))
                started.set()
                await told.wait()
        finally:
            started.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(10)
    (made,) = built
    try:
        yield made
    finally:
        if thread.is_alive():
            made.stop()
        thread.join(10)
