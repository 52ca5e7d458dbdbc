"""Several processes behind one socket: a parent that holds it, and starts again whoever dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.gateway.siblings import Siblings

__all__ = ["STATE", "Crew", "Place", "place_in", "serve_with_workers"]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_STEADY_S = 60.0  # who has lived so long is started again without a long pause
_WRONG_CALL = 2  # the exit code of a command that would fail again
_BACKLOG = 1024
_NUMBER, _SOCKET, _LEASH = "ORCHESTRATOR_WORKER", "ORCHESTRATOR_WORKER_SOCKET", "ORCHESTRATOR_WORKER_LEASH"
_CREW, _ROOM = "ORCHESTRATOR_WORKER_CREW", "ORCHESTRATOR_WORKER_ROOM"
STATE = "ORCHESTRATOR_STATE"


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is handed: its number, the socket to accept from, a pipe that closes with the parent, its crew."""

    number: int
    listening: socket.socket
    leash: int
    siblings: Siblings

    def hold(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave in order when the parent has died, whatever it died of."""

        def gone() -> None:
            loop.remove_reader(self.leash)
            signal.raise_signal(signal.SIGTERM)

        loop.add_reader(self.leash, gone)


def place_in(environ: Mapping[str, str] | None = None) -> Place | None:
    """The place of this process in a crew, if it is in one."""
    environ = os.environ if environ is None else environ
    if _NUMBER not in environ:
        return None
    from orchestrator.gateway.siblings import Siblings  # the parent needs no HTTP

    number, listening = int(environ[_NUMBER]), socket.socket(fileno=int(environ[_SOCKET]))
    siblings = Siblings(number, Path(environ[_ROOM]), of=int(environ[_CREW]))
    return Place(number, listening, int(environ[_LEASH]), siblings)


def serve_with_workers(
    number: int, host: str, port: int, *, told: Mapping[str, str], has_state: bool, say: Callable[[str], object]
) -> None:
    """Run this very command in so many processes until SIGTERM or SIGINT; all accept from one socket.

    `told` is added to their environment. Those who know of no state share one of their own, which ends with them.
    """
    if not hasattr(signal, "SIGHUP"):
        raise ConfigurationError(
            f"workers={number}: this system has no signals to lead them by; start one process each"
        )
    with _bound(host, port) as listening, _own_room(has_state=has_state) as own:
        name, bound_port = listening.getsockname()[:2]
        say(f"{number} workers at http://{f'[{name}]' if ':' in name else name}:{bound_port}")
        told = {**told, **own, _CREW: str(number)}
        crew = Crew([sys.executable, "-m", "orchestrator", *sys.argv[1:]], listening, told=told, say=say)
        asyncio.run(crew.run(number))


class Crew:
    """Starts workers, starts again who dies (after a pause that doubles up to half a minute), passes signals on."""

    def __init__(
        self,
        command: list[str],
        listening: socket.socket,
        *,
        told: Mapping[str, str],
        say: Callable[[str], object],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._command = command
        self._listening = listening
        self._told = told  # what their environment says besides
        self._say = say
        self._clock = clock
        self._leaving = asyncio.Event()
        self._workers: dict[int, asyncio.subprocess.Process] = {}
        self._failed = False

    async def run(self, number: int) -> None:
        """Until a signal ends it and every worker has finished its calls; a second one ends them at once."""
        leash, held = os.pipe()
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, self._leave)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        try:
            async with asyncio.TaskGroup() as places:
                for place in range(1, number + 1):
                    places.create_task(self._keep(place, leash), name=f"worker {place}")
        finally:
            for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(one)
            os.close(leash)
            os.close(held)
        if self._failed:
            raise ConfigurationError("the workers could not start: what they said is above")

    async def _keep(self, place: int, leash: int) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._leaving.is_set():
            started = self._clock.monotonic()
            code = await self._once(place, leash)
            if self._leaving.is_set():
                return
            if code == _WRONG_CALL:
                self._failed = True
                self._leave()
                return
            pause_s = _FIRST_PAUSE_S if self._clock.monotonic() - started > _STEADY_S else pause_s
            self._say(f"worker {place} ended with {code}; it is started again in {pause_s:g} s")
            with suppress(TimeoutError), self._clock.timeout(pause_s):
                await self._leaving.wait()
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _once(self, place: int, leash: int) -> int:
        socket_number = self._listening.fileno()
        handed = {_NUMBER: str(place), _SOCKET: str(socket_number), _LEASH: str(leash)}
        worker = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, **self._told, **handed},
            pass_fds=(socket_number, leash),
            start_new_session=True,  # a key pressed in the terminal is for the parent, which tells the others in order
        )
        self._workers[place] = worker
        if self._leaving.is_set():  # the signal came while it was starting
            worker.terminate()
        try:
            return await worker.wait()
        finally:
            del self._workers[place]

    def _leave(self) -> None:
        again = self._leaving.is_set()
        self._leaving.set()
        self._pass_on(signal.SIGKILL if again else signal.SIGTERM)

    def _pass_on(self, number: signal.Signals) -> None:
        for worker in tuple(self._workers.values()):
            with suppress(ProcessLookupError):
                worker.send_signal(number)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.create_server(found[0][4][:2], family=found[0][0], backlog=_BACKLOG) as listening:
            yield listening
    except OSError as error:
        raise ConfigurationError(f"host={host!r}, port={port}: {error.strerror}; give another") from None


@contextmanager
def _own_room(*, has_state: bool) -> Iterator[dict[str, str]]:
    """A folder that lives as long as the crew: for the sockets between the workers, and a state where there is none."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        room = {_ROOM: folder}
        yield room if has_state else {**room, STATE: f"sqlite:///{Path(folder) / 'state.db'}"}
