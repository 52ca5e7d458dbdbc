"""A meeting place in Redis, Valkey or a Cluster: each step is one script, within a short limit and behind a breaker."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Any

from orchestrator.caches.addresses import place_of
from orchestrator.caches.breaker import Breaker
from orchestrator.caches.redis_faults import Fault, fault_of
from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import ConfigurationError
from orchestrator.state import scripts
from orchestrator.state.store import (
    DRAWN_LIFE_S,
    Delivery,
    Flow,
    Grant,
    Limit,
    Parcel,
    StateUnavailableError,
    life_s,
)

__all__ = ["RedisState"]

_log = logging.getLogger(__name__)
_NAMESPACE = re.compile(r"[\w.:-]{1,64}")
_QUIET_S = 60.0


class RedisState:
    """One script a step, all under one hash tag, so that a Cluster keeps a namespace on one node.

    `draw_usd` and `draw_flow` happen on a request's path, now and then: they wait at most `draw_limit_s`. Three
    failures in a row open the breaker, and while it is open nobody waits. Moments are Redis' own (`server_time`), as
    the clocks of machines differ.

    >>> RedisState("http://host")
    Traceback (most recent call last):
    orchestrator.errors.ConfigurationError: state url: redis://, rediss://, unix:// or valkey://host:port/db
    """

    name = "redis"

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        namespace: str = "orchestrator",
        cluster: bool = False,
        limit_s: float = 0.5,
        draw_limit_s: float = 0.05,
        server_time: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigurationError(f"state namespace={namespace!r}: letters, digits and _ . : - only")
        self._url = _checked(url)
        self.namespace = namespace
        self._cluster = cluster
        self._limits_s = {"exchange": limit_s, "draw": draw_limit_s}
        self._clock = clock
        self._server_time = server_time
        self._breaker = Breaker(clock)
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._owner = os.getpid()
        self._said: dict[Fault, float] = {}

    @property
    def place(self) -> str:
        """The address without user and password."""
        return place_of(self._url)

    def exchange(self, parcel: Parcel) -> Delivery:
        """Add the news unless this sequence is known already, and tell what is new."""
        added = {
            record: {"fields": dict(fields), "life_s": int(life_s(record))} for record, fields in parcel.added.items()
        }
        told = {
            "process": parcel.process,
            "sequence": parcel.sequence,
            "era": parcel.era,
            "newborn": secrets.token_hex(8),
            "since": parcel.since,
            "added": added,
            "returned": dict(parcel.returned),
            "lowered": dict(parcel.lowered),
            "released": dict(parcel.released),
            "drawer": parcel.drawer,
            "drawn_life_s": DRAWN_LIFE_S,
            "note": parcel.note,
            "note_life_s": parcel.note_life_s,
        }
        era, version, totals, notes = self._run("exchange", scripts.EXCHANGE, told)
        sums = {record: _numbers(row) for record, row in totals}
        return Delivery(era, int(version), sums, dict(notes))

    def draw_usd(self, process: str, limits: Sequence[Limit]) -> Grant:
        """Set aside from every account what is needed, more where there is plenty; all or nothing."""
        told = {"process": process, "limits": limits, "drawn_life_s": DRAWN_LIFE_S}
        refused, amounts, levels = self._run("draw", scripts.DRAW_USD, told)
        return Grant(tuple(map(float, amounts)), tuple(map(float, levels)), refused=refused or None)

    def draw_flow(self, flows: Sequence[Flow]) -> Grant:
        """Take from every limit by the minute what is needed, more where there is plenty; all or nothing."""
        wait, amounts, levels = self._run("draw", scripts.DRAW_FLOW, {"flows": flows})
        wait_s = float(wait)
        return Grant(() if wait_s else tuple(map(float, amounts)), tuple(map(float, levels)), wait_s=wait_s)

    def close(self) -> None:
        """Close the connections; they open again when they are used."""
        with self._lock:
            clients, self._clients = self._clients, {}
        if self._owner == os.getpid():
            for client in clients.values():
                client.close()
                for node in client.nodes_manager.startup_nodes.values() if self._cluster else ():
                    if node.redis_connection is not None:  # where it asked for the others, and which it forgets
                        node.redis_connection.connection_pool.disconnect()

    # how it is asked

    def _run(self, kind: str, script: str, told: Mapping[str, Any]) -> Any:
        """The script's answer; StateUnavailableError when there is none in time, or while the breaker is open."""
        if self._breaker.is_open and not (kind == "exchange" and self._breaker.probe_due):
            raise StateUnavailableError(
                f"the state at {self.place} does not answer; it is tried again in the background"
            )
        now = {} if self._server_time else {"now": self._clock.time()}
        try:
            answer = self._evaluated(self._client(kind), script, json.dumps({**told, **now}))
        except Exception as error:
            raise self._out_of_reach(error) from error
        self._breaker.worked()
        return answer

    def _evaluated(self, client: Any, script: str, told: str) -> Any:
        from redis.exceptions import NoScriptError

        start = f"{{{self.namespace}}}:state:"
        try:
            return client.evalsha(sha1(script.encode(), usedforsecurity=False).hexdigest(), 1, start, told)
        except NoScriptError:
            return client.eval(script, 1, start, told)

    def _out_of_reach(self, error: Exception) -> StateUnavailableError:
        fault = fault_of(error)
        self._breaker.failed(for_sure=fault.for_sure)
        now = self._clock.monotonic()
        if now - self._said.get(fault, -_QUIET_S) >= _QUIET_S:
            self._said[fault] = now
            _log.warning("each process goes on alone: the state at %s: %s", self.place, fault.cause)
        return StateUnavailableError(f"the state at {self.place}: {fault.cause}")

    def _client(self, kind: str) -> Any:
        """A client without patience of its own: limits and retries are decided here."""
        with self._lock:
            if self._owner != os.getpid():  # connections of the parent are the parent's
                self._clients, self._owner = {}, os.getpid()
            client = self._clients.get(kind)
            if client is None:
                client = self._clients[kind] = self._connected(self._limits_s[kind])
        return client

    def _connected(self, limit_s: float) -> Any:
        from redis import Redis, RedisCluster
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        options = {"socket_timeout": limit_s, "socket_connect_timeout": limit_s, "decode_responses": True}
        kind: Any = RedisCluster if self._cluster else Redis
        return kind.from_url(self._url, retry=Retry(NoBackoff(), 0), **options)


def _numbers(row: Sequence[str]) -> dict[str, float]:
    return dict(zip(row[::2], map(float, row[1::2]), strict=True))


def _checked(url: str) -> str:
    """An address that the client can read; a wrong one is not shown, for it may hold a password."""
    from redis.asyncio.connection import parse_url  # the same, with types

    if url.startswith("valkey"):
        url = url.replace("valkey", "redis", 1)
    try:
        parse_url(url)
    except ValueError:
        raise ConfigurationError("state url: redis://, rediss://, unix:// or valkey://host:port/db") from None
    return url
