"""The HTTP side of the emulator: who is asked, by whom, and what becomes of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import web

from orchestrator.testing.actor import Actor
from orchestrator.testing.behaviour import HTML, CutStream, Drop, Fail, Garbage, Hang, InBandError, Step
from orchestrator.testing.dialects import dialect_of, ollama
from orchestrator.testing.emulator import LogEntry
from orchestrator.testing.exchange import Answer, Asked, ErrorReply, dumps, tokens_in
from orchestrator.testing.vectors import embed
from orchestrator.testing.wire import Wire

if TYPE_CHECKING:
    from orchestrator.testing.emulator import Emulator

__all__ = ["serve"]

_LARGEST_BODY = 64 * 1024 * 1024
_PARTING_S = 0.05  # for handlers that still wait when the emulator closes
_PAGE = b"<html><head><title>%d</title></head><body><h1>%d Bad Gateway</h1><hr>proxy</body></html>"
_BROKEN_JSON = b'{"choices": [{"mess'


@asynccontextmanager
async def serve(emulator: Emulator, port: int) -> AsyncIterator[str]:
    """Listen on loopback; yields the root address."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await _Visit(emulator, request).answer()

    def enlarged(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)

    server = web.Server(handle, request_factory=enlarged, handler_cancellation=True, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=_PARTING_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        host, bound = runner.addresses[0][:2]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()


class _Visit:
    """One request and what becomes of it."""

    __slots__ = ("_asked", "_dialect", "_emulator", "_path", "_provider", "_request", "_wire")

    def __init__(self, emulator: Emulator, request: web.BaseRequest) -> None:
        self._emulator = emulator
        self._request = request
        self._wire = Wire(request, emulator.clock)
        self._path = request.raw_path.partition("?")[0]
        self._provider = self._path[1:].partition("/")[0]
        self._dialect = dialect_of(self._provider)
        self._asked = Asked("chat")

    async def answer(self) -> web.StreamResponse:
        """The reply, or as much of one as the model's step allows."""
        emulator, dialect = self._emulator, self._dialect
        if self._provider not in emulator.providers:
            return self._send(404, {"error": "no such provider"})
        if emulator.keys is not None and dialect.key_in(self._request.headers) not in emulator.keys:
            return self._fail(Fail(kind="authentication"))
        body = await self._request.read()
        path, query = unquote(self._path.removeprefix("/" + self._provider)), self._request.raw_path.partition("?")[2]
        try:
            asked = _checked(dialect.read(self._request.method, path, query, body))
        except (ValueError, LookupError, TypeError, AttributeError) as wrong:
            return self._fail(Fail(kind="invalid_request", message=f"the body cannot be read: {wrong}"))
        if asked is None:
            return self._fail(Fail(404, kind="invalid_request", message=f"no such path: {path!r}"))
        self._asked = asked
        return await self._serve()

    async def _serve(self) -> web.StreamResponse:
        """Send a question to its model; lists cost nothing and fail only with the whole provider."""
        emulator, asked = self._emulator, self._asked
        actor = emulator.actors.get(asked.model)
        if actor is not None and actor.model.provider not in ("", self._provider):
            actor = None
        if asked.operation == "pull":
            return await self._pull(actor)
        if asked.model in emulator.absent:
            actor = None
        if actor is not None and asked.operation in ("chat", "embed"):
            return await self._work(actor)
        failed = await self._misbehave(emulator.broken.get(("provider", self._provider)))
        if failed is not None:
            return failed
        if asked.operation == "models":
            return self._send(200, self._dialect.models(emulator.served_by(self._provider)))
        if asked.operation == "version":
            return self._send(200, {"version": "0.12.0"})
        return (
            self._fail(Fail(kind="not_found")) if actor is None else self._send(200, self._dialect.model(actor.model))
        )

    async def _work(self, actor: Actor) -> web.StreamResponse:
        """A request that costs: counted, limited, and then whatever the model's step says."""
        emulator, asked = self._emulator, self._asked
        emulator.requests[asked.model] += 1
        refusal = self._refusal(actor)
        if refusal is not None:
            return self._fail(refusal, window=actor.model.context_window)
        broken = emulator.broken
        step = broken.get(("provider", self._provider)) or broken.get(("model", asked.model)) or actor.next_step()
        failed = await self._misbehave(step)
        if failed is not None:
            return failed
        latency_s = actor.latency_s(step)
        if asked.operation == "embed":
            await self._wait(latency_s)
            return self._send(200, self._dialect.embeddings(asked, [embed(t, asked.dimensions) for t in asked.texts]))
        answer = actor.answer(asked, step)
        talking_s = actor.talking_s(answer)
        if asked.stream:
            await self._wait(latency_s)
            return await self._stream(answer, step, talking_s=talking_s)
        await self._wait(latency_s + talking_s)
        return await self._whole(answer, step)

    def _refusal(self, actor: Actor) -> Fail | None:
        """Why the model does not even begin: no allowance left, or too long a prompt."""
        if actor.allowance is not None:
            wait_s = actor.allowance.take()
            self._wire.headers |= self._dialect.limit_headers(actor.allowance.limits, self._emulator.clock.time())
            if wait_s:
                return Fail(kind="rate_limit", retry_after_s=math.ceil(wait_s))
        if tokens_in(self._asked.chars) > actor.model.context_window:
            return Fail(kind="context_length")
        return None

    async def _misbehave(self, step: Step | None) -> web.StreamResponse | None:
        """The failures that come before any content; None where there is content to come."""
        streams = self._asked.stream
        match step:
            case Fail():
                return self._fail(step)
            case HTML(status):
                self._note(status)
                return self._wire.whole(status, _PAGE % (status, status), "text/html")
            case Drop():
                return self._hang_up()
            case Hang(after_chunks) if after_chunks is None or not streams:
                self._note(None)
                await self._emulator.closing.wait()
                return self._wire.hang_up()
            case Garbage() if not streams:
                self._note(200)
                return self._wire.whole(200, _BROKEN_JSON)
            case InBandError() if not streams:
                return self._send(200, self._in_band(step).body)
            case _:
                return None

    async def _pull(self, actor: Actor | None) -> web.StreamResponse:
        """A download, told step by step at the pace of the model's latency; a broken model's breaks as it says."""
        emulator = self._emulator
        emulator.requests[f"pull {self._asked.model}"] += 1
        step = None if actor is None else emulator.broken.get(("model", actor.model.name)) or actor.next_step()
        failed = await self._misbehave(step)
        if failed is not None:
            return failed
        frames = ollama.not_in_library() if actor is None else ollama.pulled(actor.model)
        said = frames.pieces[: getattr(step, "after_chunks", None)]
        self._note(200)
        response = await self._wire.begin(frames.content_type)
        await self._wire.speak(response, said, pause_s=0.0 if actor is None else actor.model.latency_s)
        if not isinstance(step, CutStream):
            await response.write(frames.tail)
            emulator.absent.discard(self._asked.model)
        await response.write_eof()
        return response

    async def _whole(self, answer: Answer, step: Step | None) -> web.StreamResponse:
        reply = self._dialect.reply(answer)
        if not isinstance(step, CutStream):
            return self._send(200, reply, number=answer.number)
        body = dumps(reply)
        self._note(200)
        return self._wire.whole(200, body[: len(body) // 2]) if step.clean else await self._wire.half(body)

    async def _stream(self, answer: Answer, step: Step | None, *, talking_s: float) -> web.StreamResponse:
        """All pieces and the proper end, or some of them and what the step puts in the end's place."""
        wire, dialect = self._wire, self._dialect
        frames = dialect.stream(self._asked, answer)
        said = frames.pieces[: getattr(step, "after_chunks", None)]
        self._identify(answer.number)
        self._note(200)
        response = await wire.begin(frames.content_type)
        pause_s = talking_s / max(1, len(frames.pieces))
        await wire.speak(response, [frames.head + b"".join(said[:1]), *said[1:]], pause_s=pause_s)
        match step:
            case CutStream(clean=False):
                wire.hang_up()
                return response
            case CutStream():
                end = b""
            case Hang():
                await self._emulator.closing.wait()
                end = b""
            case InBandError():
                end = dialect.stream_error(self._in_band(step))
            case Garbage():
                end = (b"data: " if "event-stream" in frames.content_type else b"") + _BROKEN_JSON + b"\n\n"
            case _:
                end = frames.tail
        await response.write(end)
        await response.write_eof()
        return response

    async def _wait(self, delay_s: float) -> None:
        if delay_s > 0:
            await self._emulator.clock.sleep(delay_s)

    def _in_band(self, step: InBandError) -> ErrorReply:
        return self._dialect.error(Fail(kind=step.kind, message=step.message), self._asked, window=0)

    def _fail(self, fail: Fail, *, window: int = 0) -> web.Response:
        error = self._dialect.error(fail, self._asked, window=window)
        self._wire.headers |= error.headers
        return self._send(error.status, error.body)

    def _hang_up(self) -> web.Response:
        self._note(None)
        return self._wire.hang_up()

    def _send(self, status: int, body: dict[str, Any], *, number: int = 0) -> web.Response:
        self._identify(number)
        self._note(status)
        return self._wire.whole(status, dumps(body))

    def _identify(self, number: int) -> None:
        if self._dialect.REQUEST_ID:
            self._wire.headers[self._dialect.REQUEST_ID] = f"req_{number:08d}"

    def _note(self, status: int | None) -> None:
        self._emulator.log.append(LogEntry(self._asked.model, self._path, status))


def _checked(asked: Asked | None) -> Asked | None:
    """The same, if its model is a name and its numbers are numbers; TypeError if not."""
    if asked is None:
        return None
    model: Any = asked.model  # a dialect passes on what stands in the body
    numbers: tuple[Any, ...] = (asked.max_tokens, asked.dimensions)
    if type(model) is not str or not all(n is None or (type(n) is int and n > 0) for n in numbers):
        raise TypeError("model is a string, max_tokens and dimensions are whole numbers above 0")
    return asked
