"""The level that machines share: Redis, Valkey or a Cluster of them, asked within short limits and behind a breaker."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from orchestrator.caches.addresses import address_of, lease_of, pattern_of, place_of, tag_set_of
from orchestrator.caches.breaker import Breaker
from orchestrator.caches.complaints import Complaints
from orchestrator.caches.redis_faults import Fault, fault_of
from orchestrator.caches.redis_walks import drop_tagged, held, sweep, unlink
from orchestrator.caches.seal import sealed, unsealed
from orchestrator.core.caching.figures import LevelStatistics
from orchestrator.core.caching.levels import Which
from orchestrator.core.caching.settings import READ_LIMIT_S, LevelSettings
from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import ConfigurationError

__all__ = ["RedisStore"]

T = TypeVar("T")
_SWEEP_LIMIT_S = 10.0
_AT_ONCE = 64  # reads on the way; more wait for a turn
_BATCH = 64
_MOST_PENDING_BYTES = 16 * 1024 * 1024
_TAG_SETS_LIVE_LONGER = 1.2  # than their youngest entry, whose life jitter may have shortened

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"

_Waiting = tuple[bytes, float, tuple[str, ...]]  # value, time to live, tags


class _Line:
    """What one event loop has open: a client, the reads under way, the writes that wait, the tasks behind them."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.turns = asyncio.Semaphore(_AT_ONCE)
        self.pending: dict[str, _Waiting] = {}
        self.pending_bytes = 0
        self.writer: asyncio.Task[None] | None = None
        self.probe: asyncio.Task[None] | None = None
        self.returns: set[asyncio.Task[None]] = set()  # of leases that nobody waits to be rid of

    def hold(self, key: str, waiting: _Waiting) -> None:
        """A write that waits; a newer one takes an older one's place."""
        self.let_go({key: self.pending[key]} if key in self.pending else {})
        self.pending[key] = waiting
        self.pending_bytes += len(waiting[0])

    def let_go(self, done: dict[str, _Waiting]) -> None:
        """These are written or given up; what has been put under their keys since still waits."""
        for key, written in done.items():
            if self.pending.get(key) is written:
                del self.pending[key]
                self.pending_bytes -= len(written[0])


class RedisStore:
    """Sealed bytes under hashed names in one namespace; a Redis that is gone is a miss and never an error.

    `url` (redis://, rediss://, unix://, valkey://) wins over `host`, `port` and `db`; `cluster=True` for a Cluster.
    A read waits at most 40 ms. Three failures in a row open the breaker: nobody waits while it is open, and a probe
    behind the callers' backs closes it again. Writing happens behind them too.
    """

    name = "redis"
    near = False

    def __init__(
        self,
        *,
        url: str | None = None,
        host: str = "localhost",
        port: int = 6379,
        db: int = 0,
        username: str | None = None,
        password: str | None = None,
        cluster: bool = False,
        namespace: str = "orchestrator",
        read_limit_s: float = READ_LIMIT_S,
        write_limit_s: float = 0.25,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._where: dict[str, Any] = {"host": host, "port": port} if url is None else {}
        self._where |= {"db": db} if url is None and not cluster else {}
        self._where |= {name: value for name, value in (("username", username), ("password", password)) if value}
        self._url = _checked(url)
        self._cluster = cluster
        self._namespace = namespace
        self._read_limit_s = read_limit_s  # a caller waits no longer for what may not even be there
        self._write_limit_s = write_limit_s  # nobody waits for it
        self._clock = clock
        self._breaker = Breaker(clock)
        self._complaints = Complaints(self.name, clock)
        self._writes_from = -1.0
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    @classmethod
    def of(cls, settings: LevelSettings) -> RedisStore:
        """The level these settings describe."""
        return cls(
            url=settings.url,
            host=settings.host,
            port=settings.port,
            db=settings.db,
            username=settings.username,
            password=settings.password,
            namespace=settings.namespace,
            read_limit_s=settings.read_limit_s,
            clock=settings.clock,
        )

    # reading

    def peek(self, key: str) -> bytes | None:
        """Only what this process has not written yet: everything else is far."""
        waiting = self._line().pending.get(key)
        return None if waiting is None else waiting[0]

    async def read(self, key: str) -> bytes | None:
        """The bytes, if Redis has them and says so in time."""
        line = self._line()
        waiting = line.pending.get(key)
        if waiting is not None:
            return waiting[0]
        if self._breaker.is_open:
            self._probe_if_due(line)
            return None
        name = address_of(self._namespace, key)
        raw = await self._asked(line, lambda: line.client.get(name), key)
        if raw is None:
            return None
        value = unsealed(name, raw)
        if value is None:
            self._complaints.note("an entry was damaged or is not ours")
            await self.drop(Which(key=key))
        return value

    async def _asked(self, line: _Line, ask: Callable[[], Awaitable[T]], key: str) -> T | None:
        """What Redis says to one command of a caller, or None."""
        if line.turns.locked():
            try:
                async with asyncio.timeout(self._read_limit_s):
                    await line.turns.acquire()
            except TimeoutError:
                return None  # too many at once is our own crowd, not a fault of Redis
        else:
            await line.turns.acquire()
        try:
            async with asyncio.timeout(self._read_limit_s):
                answer = await ask()
        except Exception as error:  # noqa: BLE001 - the boundary: whatever the client raises is a miss and a count
            if self._judge(error) is Fault.FOREIGN:
                await self.drop(Which(key=key))
            return None
        finally:
            line.turns.release()
        self._breaker.worked()
        return answer

    # writing

    def put(self, key: str, value: bytes, ttl_s: float, tags: Sequence[str] = ()) -> None:
        """Hand over to the task that writes; when it is too far behind, the entry is let go."""
        line = self._line()
        if ttl_s <= 0:
            return
        if self._breaker.is_open:
            self._probe_if_due(line)
            return
        if self._clock.monotonic() < self._writes_from or line.pending_bytes + len(value) > _MOST_PENDING_BYTES:
            return
        line.hold(key, (value, ttl_s, tuple(tags)))
        if line.writer is None or line.writer.done():
            line.writer = asyncio.get_running_loop().create_task(self._drain(line), name="cache writer")

    async def _drain(self, line: _Line) -> None:
        """Write what is pending, batch by batch; ends when nothing is left."""
        while line.pending:
            batch = dict(list(line.pending.items())[:_BATCH])
            if not self._breaker.is_open:
                await self._within(self._write_limit_s, self._write(line, batch))
            line.let_go(batch)

    async def _write(self, line: _Line, batch: dict[str, _Waiting]) -> None:
        pipe = line.client.pipeline(transaction=False)
        for key, (value, ttl_s, tags) in batch.items():
            name = address_of(self._namespace, key)
            life_ms = max(1, int(ttl_s * 1000))
            pipe.set(name, sealed(name, value), px=life_ms)
            for tag in tags:
                tag_set = tag_set_of(self._namespace, key, tag)
                pipe.sadd(tag_set, key)
                pipe.pexpire(tag_set, int(life_ms * _TAG_SETS_LIVE_LONGER))
        for result in await pipe.execute(raise_on_error=False):
            if isinstance(result, Exception):
                raise result

    async def flush(self) -> None:
        """Return when everything put so far is written or given up."""
        line = self._line()
        if line.writer is not None:
            await asyncio.shield(line.writer)  # whoever waits for it may leave; what is written is also others'

    # forgetting

    async def drop(self, which: Which) -> int:
        """Delete what matches; a model, a tenant or a tag means a walk over the namespace's names."""
        line = self._line()
        client = line.client
        if which.key is not None:
            line.let_go({key: held for key, held in line.pending.items() if key == which.key})
            return await self._within(self._read_limit_s, unlink(client, [address_of(self._namespace, which.key)])) or 0
        await self.flush()
        if which.tag is not None:
            work = drop_tagged(client, self._namespace, which)
        else:
            work = sweep(client, pattern_of(self._namespace, which))
        return await self._within(_SWEEP_LIMIT_S, work) or 0

    async def clear(self) -> None:
        """Delete everything of this namespace."""
        await self.flush()
        await self._within(_SWEEP_LIMIT_S, sweep(self._line().client, pattern_of(self._namespace)))

    # one flight over all processes

    async def lease(self, key: str, lease_s: float) -> str | None:
        """A token, if nobody else is asking the model this very question; None if somebody is.

        When Redis cannot say, everybody may ask: the token is then empty.
        """
        line = self._line()
        if self._breaker.is_open:
            return ""
        token = secrets.token_hex(8)
        name = lease_of(self._namespace, key)
        faults = self._complaints.count
        try:
            granted = await self._asked(
                line, lambda: line.client.set(name, token, nx=True, px=int(lease_s * 1000)), key
            )
        except asyncio.CancelledError:
            self._returning(line, key, token)  # it may have been granted, and nobody is left to say so
            raise
        if granted:
            return token
        if self._complaints.count == faults:
            return None
        self._returning(line, key, token)  # likewise, where the answer was too late
        return ""

    async def renew(self, key: str, token: str, lease_s: float) -> None:
        """Hold the lease for longer, if it is still ours."""
        await self._script(_RENEW, key, token, int(lease_s * 1000))

    async def release(self, key: str, token: str) -> None:
        """Give the lease back, if it is still ours; who is cancelled meanwhile gives it back all the same."""
        await asyncio.shield(self._returning(self._line(), key, token))

    def _returning(self, line: _Line, key: str, token: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._script(_RELEASE, key, token), name="cache lease returned")
        line.returns.add(task)
        task.add_done_callback(line.returns.discard)
        return task

    async def _script(self, script: str, key: str, *arguments: object) -> None:
        if not self._breaker.is_open:
            name = lease_of(self._namespace, key)
            await self._within(self._write_limit_s, self._line().client.eval(script, 1, name, *arguments))

    # the line, and what can go wrong with it

    def _line(self) -> _Line:
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line(self._client())
        return line

    def _client(self) -> Any:
        """A client without patience of its own: limits and retries are decided here."""
        from redis.asyncio import Redis, RedisCluster
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        options = {
            **self._where,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": self._write_limit_s,
            "socket_timeout": None,
        }
        kind: Any = RedisCluster if self._cluster else Redis
        return kind(**options) if self._url is None else kind.from_url(self._url, **options)

    async def _within(self, limit_s: float, work: Awaitable[T]) -> T | None:
        """The result of work behind the callers' backs, or None."""
        try:
            async with asyncio.timeout(limit_s):
                result = await work
        except Exception as error:  # noqa: BLE001 - the boundary: whatever the client raises is counted, not raised
            self._judge(error)
            return None
        self._breaker.worked()
        return result

    def _judge(self, error: Exception) -> Fault:
        """Count a fault, say it once and draw the consequence."""
        fault = fault_of(error)
        self._complaints.note(fault.cause, fault.remedy)
        if fault.writes_off_s:
            self._writes_from = self._clock.monotonic() + fault.writes_off_s
        elif fault is not Fault.FOREIGN:
            self._breaker.failed(for_sure=fault.for_sure)
        return fault

    def _probe_if_due(self, line: _Line) -> None:
        if self._breaker.probe_due and (line.probe is None or line.probe.done()):
            line.probe = asyncio.get_running_loop().create_task(self._probe(line), name="cache probe")

    async def _probe(self, line: _Line) -> None:
        await self._within(2 * self._write_limit_s, line.client.ping())

    async def close(self) -> None:
        """Write what is pending and close this event loop's connections."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is None:
            return
        tasks = [task for task in (line.writer, line.probe, *line.returns) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await line.client.aclose()

    def figures(self) -> LevelStatistics:
        """Faults so far; what Redis holds is not asked for."""
        return LevelStatistics(
            faults=self._complaints.count, available=not self._breaker.is_open, trouble=self._complaints.last
        )

    async def survey(self) -> LevelStatistics:
        """The same with what Redis holds of this namespace: a walk over its names; None when it does not say."""
        await self.flush()
        counting = held(self._line().client, pattern_of(self._namespace, Which()))
        entries, held_bytes = await self._within(_SWEEP_LIMIT_S, counting) or (None, None)
        return replace(self.figures(), entries=entries, bytes=held_bytes)

    @property
    def place(self) -> str:
        """The address without user and password."""
        return place_of(self._url) if self._url is not None else "{host}:{port}/{db}".format(**{"db": 0} | self._where)


def _checked(url: str | None) -> str | None:
    """An address that the client can read; a wrong one is not shown, for it may hold a password."""
    try:
        from redis.asyncio.connection import parse_url
    except ImportError:
        raise ConfigurationError("cache level 'redis' needs redis: pip install redis") from None
    if url is None:
        return None
    if url.startswith("valkey"):
        url = url.replace("valkey", "redis", 1)
    try:
        parse_url(url)
    except ValueError:
        raise ConfigurationError("cache url: redis://, rediss://, unix:// or valkey://host:port/db") from None
    return url
