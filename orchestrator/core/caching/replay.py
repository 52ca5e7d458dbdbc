"""Streams: recorded whole while they pass, shared while they run, replayed piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Iterator
from types import TracebackType

from orchestrator.core.caching.entries import Found, gratis
from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.errors import StreamTruncatedError

__all__ = ["Broadcast", "Broadcasts", "pieces_of", "replayed", "response_of"]

Open = Callable[[], AsyncIterator[Chunk]]
_MOST_PIECES = 256  # of one record: longer streams are replayed in larger steps


def response_of(chunks: list[Chunk]) -> ChatResponse | None:
    """The whole answer of a complete stream, or None for one without its end."""
    last = chunks[-1] if chunks else Chunk()
    if last.finish_reason is None or last.response is not None:
        return last.response
    return ChatResponse(
        "".join(chunk.text for chunk in chunks),
        usage=last.usage,
        model_id=last.model_id,
        finish_reason=last.finish_reason,
        tool_calls=last.tool_calls,
        reasoning="".join(chunk.reasoning for chunk in chunks),
        refusal=last.refusal,
        raw_finish=last.raw_finish,
        upstream_model=last.upstream_model,
    )


def pieces_of(chunks: list[Chunk]) -> list[list[int]]:
    """The lengths of text and reasoning of each piece that says something.

    >>> pieces_of([Chunk("Hel"), Chunk(reasoning="hm"), Chunk("lo"), Chunk(finish_reason="stop")])
    [[3, 0], [0, 2], [2, 0]]
    """
    pieces = [[len(chunk.text), len(chunk.reasoning)] for chunk in chunks if chunk.text or chunk.reasoning]
    step = -(-len(pieces) // _MOST_PIECES) or 1
    parts = [pieces[at : at + step] for at in range(0, len(pieces), step)]
    return [[sum(text for text, _ in part), sum(reasoning for _, reasoning in part)] for part in parts]


def replayed(found: Found) -> Iterator[Chunk]:
    """A stored answer in the pieces it came in; the last chunk carries usage, tool calls and the whole."""
    response, said, thought = found.response, 0, 0
    for text, reasoning in found.pieces or [[0, len(response.reasoning)], [len(response.text), 0]]:
        words, thoughts = response.text[said : said + text], response.reasoning[thought : thought + reasoning]
        chunk = Chunk(words, thoughts, model_id=response.model_id)
        said, thought = said + text, thought + reasoning
        if chunk.text or chunk.reasoning:
            yield chunk
    yield Chunk.closing(response)


class Broadcast:
    """One stream for any number of readers, each from its beginning, each at its own pace.

    A task of its own reads the source, so that no slow or cancelled reader is another one's problem. It ends with the
    source, or when the last reader has gone.
    """

    def __init__(self, source: AsyncIterator[Chunk], landed: Callable[[Broadcast], None]) -> None:
        self.chunks: list[Chunk] = []
        self.complete = False
        self._lost: tuple[Exception, TracebackType | None] | None = None
        self._readers = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self.task = asyncio.get_running_loop().create_task(self._pump(source, landed), name="cache stream")

    async def _pump(self, source: AsyncIterator[Chunk], landed: Callable[[Broadcast], None]) -> None:
        try:
            async for chunk in source:
                self.chunks.append(chunk)
                self._wake()
            self.complete = True
        except Exception as error:  # noqa: BLE001 - the boundary: every reader gets it
            self._lost = error, error.__traceback__
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()
            landed(self)
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def read(self, *, level: str | None = None) -> AsyncGenerator[Chunk, None]:
        """All chunks from the first on; for one who joined (`level`) the last one says that it was free."""
        self._readers += 1
        at = 0
        try:
            while True:
                while at < len(self.chunks):
                    yield self.chunks[at] if level is None else _joined(self.chunks[at], level)
                    at += 1
                if self.task.done() or self.complete or self._lost:
                    break
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(future)
                await future
        finally:
            self._readers -= 1
            if not self._readers and not self.task.done() and not self.complete and not self._lost:
                await self.stop()
        if self._lost is not None:
            raise self._lost[0].with_traceback(self._lost[1])
        if not self.complete:
            raise StreamTruncatedError("the stream was stopped before its end")

    async def stop(self) -> None:
        """End the source too."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def _joined(chunk: Chunk, level: str) -> Chunk:
    if chunk.response is None:
        return chunk if chunk.usage is None else chunk._replace(usage=chunk.usage.with_cost(0.0))
    response = gratis(chunk.response, level=level, latency_s=chunk.response.latency_s or 0.0)
    return chunk._replace(response=response, usage=response.usage)


class Broadcasts:
    """The streams under way, by key and event loop."""

    def __init__(self) -> None:
        self._running: dict[tuple[asyncio.AbstractEventLoop, Hashable], Broadcast] = {}

    def join(self, key: Hashable, open_stream: Open, landed: Callable[[Broadcast], None]) -> tuple[Broadcast, bool]:
        """The stream of this key, opened if there is none, and whether somebody else had opened it."""
        flight = (asyncio.get_running_loop(), key)
        running = self._running.get(flight)
        if running is not None and not running.task.done():
            return running, True

        def over(broadcast: Broadcast) -> None:
            if self._running.get(flight) is broadcast:
                del self._running[flight]
            landed(broadcast)

        broadcast = self._running[flight] = Broadcast(open_stream(), over)
        return broadcast, False

    async def stop(self) -> None:
        """End those of this event loop."""
        loop = asyncio.get_running_loop()
        for broadcast in [one for (home, _), one in self._running.items() if home is loop]:
            await broadcast.stop()
