"""One visit of a client: let in, understood, answered whole or in pieces, and told plainly when it cannot be."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NamedTuple
from uuid import uuid4

from aiohttp import web

from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.errors import ModelNotFoundError
from orchestrator.gateway import answering
from orchestrator.gateway.asking import EXTENSION, Asked, completed
from orchestrator.gateway.bodies import json_body
from orchestrator.gateway.dialects.dialect import Dialect, StreamWriter
from orchestrator.gateway.keys import Doorkeeper
from orchestrator.gateway.refusals import Refusal, RefusedError, refusal_of
from orchestrator.gateway.report import facts_of, headers_of, plain
from orchestrator.gateway.served import Served, Serving
from orchestrator.gateway.settings import AUTO, GatewayKey, GatewaySettings
from orchestrator.gateway.siblings import Siblings
from orchestrator.gateway.speaking import Speaker
from orchestrator.gateway.spoken import Spoken
from orchestrator.integrations.strict_json import dumps
from orchestrator.models.model_registry import ModelRegistry

__all__ = ["Desk"]

Piece = tuple[int, Chunk]
Work = Callable[["Desk", web.Request, GatewayKey | None], Awaitable[web.StreamResponse]]
_JSON = {"Server": "orchestrator", "Content-Type": "application/json"}
_log = logging.getLogger(__name__)


class _Ends(NamedTuple):
    """What the end of a stream needs to know of its beginning."""

    asked: Asked
    answer_id: str
    serving: Serving


class Desk:
    """Answers the clients of one registry, in whatever dialect they speak."""

    def __init__(self, registry: ModelRegistry, settings: GatewaySettings, siblings: Siblings) -> None:
        self.registry = registry
        self.settings = settings
        self.siblings = siblings
        self.doorkeeper = Doorkeeper(settings.keys, registry.clock, registry.admission.rates_of)
        self.spoken = Spoken()
        self.served = Served(registry)
        self._limit_tenants()

    def heed(self, settings: GatewaySettings) -> None:
        """Go by these from the next request on."""
        self.settings = settings
        self.doorkeeper.heed(settings.keys)
        self._limit_tenants()

    def _limit_tenants(self) -> None:
        limits: dict[str, dict[str, float]] = {}
        for key in self.settings.keys:
            if (day_usd := key.budget_usd_per_day) is not None:
                told = limits.setdefault(key.tenant or key.name, {"day_usd": day_usd})
                told["day_usd"] = min(told["day_usd"], day_usd)  # of keys that share a tenant the tightest holds
        self.registry.limit_tenants(limits, by=self)

    async def talk(self, http: web.Request, dialect: Dialect) -> web.StreamResponse:
        """Answer one request for words; whatever goes wrong is told in the dialect."""
        try:
            with self.served.serving("chat") as serving:
                serving.asked = asked = await self.understood(http, dialect)
                if asked.stream:
                    return await self._stream(http, dialect, asked, serving)
                serving.answers = found = await answering.answers(self.registry, asked)
                elapsed_s = self.registry.clock.monotonic() - serving.began_s
                told = headers_of(facts_of(asked, found, policy=self.policy, elapsed_s=elapsed_s))
                return sent(dialect.reply(asked, found, int(self.registry.clock.time())), headers=told)
        except Exception as error:  # noqa: BLE001 - the boundary: a client gets an answer whatever happens
            return self.refuse(error, dialect)

    async def serve(self, http: web.Request, work: Work, dialect: Dialect) -> web.StreamResponse:
        """Answer one request that is no talk, by `work(desk, http, key)`."""
        try:
            return await work(self, http, self.doorkeeper.admit(http.headers))
        except Exception as error:  # noqa: BLE001 - the boundary, as above
            return self.refuse(error, dialect)

    async def understood(self, http: web.Request, dialect: Dialect) -> Asked:
        """The request, once its sender is known and its body read."""
        if self.draining:
            raise RefusedError(503, "overloaded", "this gateway is closing; ask another", retry_after_s=1)
        key = self.doorkeeper.admit(http.headers)
        body = await json_body(http, read_s=self.settings.read_s)
        said = body.get(EXTENSION)
        return completed(dialect.read(body), http.headers, said, key=key, profiles=self.settings.profiles)

    @property
    def draining(self) -> bool:
        """True from the moment the registry takes no more calls."""
        return self.registry.gate.closed

    @property
    def policy(self) -> str:
        """The policy that chooses, by name."""
        return type(self.registry.selector).__name__

    def refuse(self, error: Exception, dialect: Dialect) -> web.Response:
        """The failure in the client's dialect; one that nobody foresaw is logged with its traceback."""
        refusal = refusal_of(error)
        if refusal.status == 500:
            _log.error("a request failed unforeseen", exc_info=error)
        if isinstance(error, ModelNotFoundError):
            names = ", ".join(map(repr, (AUTO, *self.settings.profiles)))
            refusal = refusal._replace(message=f"{refusal.message}; names of the gateway's own: {names}", param="model")
        return sent(dialect.error(refusal), status=refusal.status, headers=refusal.headers)

    async def _stream(self, http: web.Request, dialect: Dialect, asked: Asked, serving: Serving) -> web.StreamResponse:
        """Pieces as they come; until the first is there a failure still has a status of its own."""
        answer_id = f"{dialect.ID}{uuid4().hex}"
        writer = dialect.writer(asked, answer_id, int(self.registry.clock.time()))
        async with aclosing(answering.pieces(self.registry, asked)) as pieces:
            first = await anext(pieces)
            serving.speaks()
            told = {"X-Orchestrator-Model": plain(first[1].model_id or "")}
            try:
                async with Speaker(http, told, beat_s=self.settings.beat_s) as speaker:
                    await self._speak(speaker, writer, first, pieces, ends=_Ends(asked, answer_id, serving))
            except ConnectionError:
                serving.error_type = "cancelled"
                _log.debug("a client left in the middle of a stream")  # closing the pieces ends the call upstream
        return speaker.response

    async def _speak(
        self, speaker: Speaker, writer: StreamWriter, first: Piece, rest: AsyncIterator[Piece], *, ends: _Ends
    ) -> None:
        """Say every piece, then what came of it; a failure from here on is told in the stream."""
        only = first[1].response  # a call of a tool, or nothing at all, is one piece and the last
        answers: list[ChatResponse] = [] if only is None else [only]
        try:
            await speaker.say(writer.piece(*first))
            async for choice, chunk in rest:
                if chunk.response is not None:
                    answers.append(chunk.response)
                await speaker.say(writer.piece(choice, chunk))
            await speaker.say(writer.end(self._facts(answers, ends)))
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: told in the stream, for its status has been sent
            refusal = self._noted(error)
            ends.serving.error_type = refusal.kind
            await speaker.say(writer.error(refusal))

    def _facts(self, answers: list[ChatResponse], ends: _Ends) -> dict[str, Any]:
        """What a reply's headers would have told, had it been known before the first word."""
        if not answers:
            return {}
        ends.serving.answers = answers
        self.spoken.note(ends.answer_id, answers[0].id)
        elapsed_s = self.registry.clock.monotonic() - ends.serving.began_s
        return facts_of(ends.asked, answers, policy=self.policy, elapsed_s=elapsed_s)

    @staticmethod
    def _noted(error: Exception) -> Refusal:
        refusal = refusal_of(error)
        if refusal.status == 500:
            _log.error("a stream failed unforeseen", exc_info=error)
        return refusal


def sent(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON reply."""
    told = {**_JSON, **headers} if headers else _JSON
    return web.Response(body=dumps(body), status=status, headers=told)
