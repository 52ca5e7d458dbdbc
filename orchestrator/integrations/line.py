"""The line to one model: what every call needs and no call changes, and the two ways of talking over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.core.messages import Chunk, Request
from orchestrator.core.model import last_chunk
from orchestrator.errors import (
    InvalidRequestError,
    MalformedResponseError,
    ProviderAPIError,
    ProviderConnectionError,
    ProviderTimeoutError,
    ServerError,
    StreamTruncatedError,
)
from orchestrator.integrations import strict_json, transport
from orchestrator.integrations.complaints import without_quotation
from orchestrator.integrations.dialects.dialect import Dialect, StreamReader
from orchestrator.integrations.failures import failure
from orchestrator.integrations.frames import Framing, LineFraming

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from yarl import URL

__all__ = ["Line", "Patience", "signed"]


class Line:
    """Addresses, headers and limits of one model, made before its first call; shows none of them."""

    __slots__ = (
        "_address",
        "_headers",
        "_limits",
        "_provider",
        "_refused",
        "_stream_headers",
        "_warm",
        "chat_url",
        "dialect",
        "model",
        "stream_url",
        "told",
    )

    def __init__(
        self,
        *,
        provider: str,
        dialect: Dialect,
        model: str,
        address: Callable[[str], str],
        headers: Mapping[str, str],
        limits: transport.Limits,
        refused: Callable[[], None],
    ) -> None:
        from multidict import CIMultiDict

        self.dialect = dialect
        self.model = model
        self._provider = provider
        self._address = address
        self._limits = limits
        self._refused = refused  # called when the key is not accepted
        self._headers = CIMultiDict(headers)
        # a compressed stream would be held back until its blocks are full
        self._stream_headers = CIMultiDict(headers, Accept="text/event-stream", **{"Accept-Encoding": "identity"})
        self.told: Mapping[str, str] | None = None  # the headers of the last reply
        self._warm = False  # has an answer come, so that a pooled connection may have gone stale since?
        self.chat_url = self.url(dialect.chat_path(model, stream=False))
        self.stream_url = self.url(dialect.chat_path(model, stream=True))

    def __repr__(self) -> str:
        return f"<Line to {self.model!r} at {self.chat_url.host!r}>"

    def url(self, path: str) -> URL:
        """The whole address of one of the dialect's paths."""
        from yarl import URL

        return URL(self._address(path), encoded=True)

    def written(self, request: Request, *, stream: bool = False) -> dict[str, Any]:
        """The body of a request; where its parameters are of kinds that cannot be written, that is no failure here."""
        try:
            return self.dialect.encode(request, self.model, stream=stream)
        except (TypeError, ValueError, LookupError, AttributeError) as fault:
            given = ", ".join(map(repr, request.params)) or "none"
            why = f"parameters, tools or turns are not of the kinds that {self._provider} takes; given: {given:.200}"
            raise InvalidRequestError(why) from fault

    async def ask(self, url: URL, body: bytes | None, private: Callable[[], Sequence[str]]) -> Any:
        """The JSON value that answers; `private` gives the texts no error may repeat."""
        answer = await self._exchange(url, body)
        if answer.status != 200:
            raise self._failed(answer, private())
        return self._value(answer)

    async def _exchange(self, url: URL, body: bytes | None) -> transport.Answer:
        """One exchange; where a pooled connection may have gone stale, one more on a fresh one."""
        warm, headers, limits = self._warm, self._headers, self._limits
        try:
            answer = await transport.exchange(url, headers, body, limits, provider=self._provider)
        except transport.StaleConnection:
            if not warm:
                raise self._hung_up() from None
            try:
                answer = await transport.exchange(url, headers, body, limits, provider=self._provider, fresh=True)
            except transport.StaleConnection:
                raise self._hung_up() from None
        self._warm, self.told = True, answer.headers
        return answer

    async def listen(
        self, request: Request, model_id: str, private: Callable[[], Sequence[str]]
    ) -> AsyncGenerator[Chunk, None]:
        """The chunks of a stream, the closing one last; a break raises with `text_so_far`."""
        reader, response = self.dialect.reader(), None
        try:
            response = await self._open(strict_json.dumps(self.written(request, stream=True)))
            if response.status != 200:
                raise self._failed(await self._rest(response), private())
            if _is_whole(response):
                reply = self.dialect.decode(self._value(await self._rest(response)))
                yield last_chunk(reply, reply.text)
                return
            framing = self.dialect.framing()
            patience = Patience(self._limits, self._provider, now=asyncio.get_running_loop().time)
            while not reader.done and (data := await self._more(response, reader, patience)):
                beats = reader.beats
                for frame in framing.feed(data):
                    for chunk in reader.feed(frame):
                        yield chunk
                patience.after(meaningful=reader.beats != beats)
            for chunk in _leftover(framing, reader):
                yield chunk
            yield reader.finish()
        except ProviderAPIError as error:
            error.text_so_far = error.text_so_far or reader.text
            raise signed(error, model_id, private())  # noqa: B904 - the very same error
        finally:
            if response is not None:
                await transport.let_go(response, over=reader.done)

    async def follow(self, url: URL, body: bytes) -> AsyncGenerator[Any, None]:
        """The JSON values of a reply that comes line by line, such as the progress of a download."""
        response = await self._open(body, url)
        over = False
        try:
            if response.status != 200:
                raise self._failed(await self._rest(response), ())
            framing = LineFraming()
            while data := await transport.next_bytes(response, self._limits.first_byte_s, self._provider):
                for line in framing.feed(data):
                    yield strict_json.loads(line)
            for line in framing.close():
                yield strict_json.loads(line)
            over = True
        finally:
            await transport.let_go(response, over=over)

    async def _open(self, body: bytes, url: URL | None = None) -> ClientResponse:
        warm, limits = self._warm, self._limits
        url, headers = url or self.stream_url, self._stream_headers
        try:
            response = await transport.open_reply(url, headers, body, limits, provider=self._provider)
        except transport.StaleConnection:
            if not warm:
                raise self._hung_up() from None
            try:
                response = await transport.open_reply(url, headers, body, limits, provider=self._provider, fresh=True)
            except transport.StaleConnection:
                raise self._hung_up() from None
        self._warm, self.told = True, response.headers
        return response

    async def _rest(self, response: ClientResponse) -> transport.Answer:
        return await transport.body_of(response, self._limits, self._provider)

    async def _more(self, response: ClientResponse, reader: StreamReader, patience: Patience) -> bytes:
        """The next bytes; a road that breaks after the answer's end does no harm, before it cuts the stream."""
        try:
            return await patience.read(response)
        except (ProviderConnectionError, ProviderTimeoutError) as fault:
            if reader.ended:
                return b""
            if isinstance(fault, ProviderTimeoutError):
                raise
            raise StreamTruncatedError(
                f"the stream of {self._provider} broke before the answer ended", text_so_far=reader.text
            ) from fault

    def _value(self, answer: transport.Answer) -> Any:
        """The body as JSON; a page of HTML or nothing at all is a fault of the server."""
        start = answer.body[:64].lstrip()
        if not start and not answer.body.strip():
            raise ServerError(f"{self._provider} answered 200 with an empty body", status=200)
        if start.startswith(b"<"):
            raise ServerError(f"{self._provider} answered with a page of HTML: check base_url", status=200)
        return strict_json.loads(answer.body)

    def _failed(self, answer: transport.Answer, private: Sequence[str]) -> ProviderAPIError:
        error = failure(answer.status, answer.headers, answer.body, provider=self._provider, private=private)
        if error.error_type == "authentication":
            self._refused()
        return error

    def _hung_up(self) -> ProviderConnectionError:
        self._warm = False
        return ProviderConnectionError(f"{self._provider} hung up without an answer")


class Patience:
    """How long a stream may still be silent: until the first meaningful frame, then between two of them.

    Only waiting counts, not the time the reader of the stream takes over a chunk.
    """

    def __init__(self, limits: transport.Limits, provider: str, *, now: Callable[[], float]) -> None:
        self._gap_s, self._provider, self._now = limits.gap_s, provider, now
        self._left_s = max(limits.first_byte_s, limits.gap_s)

    async def read(self, response: ClientResponse) -> bytes:
        """The next bytes, if they come within what is left."""
        since = self._now()
        data = await transport.next_bytes(response, self._left_s, self._provider)
        self._left_s -= self._now() - since
        return data

    def after(self, *, meaningful: bool) -> None:
        """Start the gap anew after a meaningful frame; `ProviderTimeoutError` when only pings filled it."""
        if meaningful:
            self._left_s = self._gap_s
        elif self._left_s <= 0:
            raise ProviderTimeoutError(f"{self._provider} sent nothing but pings for too long")


def _is_whole(response: ClientResponse) -> bool:
    """True when a server answers a wish for a stream with one JSON document, or with a page."""
    return response.content_type in ("application/json", "text/html")


def _leftover(framing: Framing, reader: StreamReader) -> Sequence[Chunk]:
    """The chunks of a frame whose end never came: whole, or cut and then for `finish` to judge."""
    chunks: list[Chunk] = []
    try:
        for frame in framing.close():
            chunks += reader.feed(frame)
    except MalformedResponseError:
        pass
    return chunks


def signed(error: ProviderAPIError, model_id: str, private: Sequence[str]) -> ProviderAPIError:
    """The error with the model's id and without words of the request that a provider repeated."""
    error.model_id = error.model_id or model_id
    message = str(error)
    for secret in private:
        message = without_quotation(message, " ".join(secret.split()))
    error.args = (message,)
    return error
