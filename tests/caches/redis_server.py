"""A redis-server of our own on a free port, that can be paused, killed and started again."""

import shutil
import signal
import socket
import subprocess
import time

import pytest


def free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """The process; `command` speaks to it over a plain socket, without the client under test."""

    def __init__(self, folder, *options):
        self.binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if self.binary is None:
            pytest.fail("no redis-server: apt-get install redis-server (or valkey-server), then run again")
        self.port, self.folder, self.options, self.process = free_port(), folder, options, None
        self.start()

    def start(self):
        """Start it and return when it answers."""
        address = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        quiet = ["--save", "", "--appendonly", "no", "--loglevel", "warning", "--enable-debug-command", "yes"]
        self.process = subprocess.Popen(
            [self.binary, *address, *quiet, *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                self.command("PING")
                return
            except OSError:
                time.sleep(0.01)
        self.kill()
        pytest.fail(f"{self.binary} does not answer")

    def command(self, *words, password=None):
        """One command and the first line of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), 2) as wire:
            for line in ([("AUTH", password)] if password else []) + [words]:
                wire.sendall(
                    b"*%d\r\n" % len(line) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(_bytes, line))
                )
                answer = wire.recv(65536)
        return answer

    def keys(self):
        """How many keys it holds."""
        return int(self.command("DBSIZE")[1:])

    def signal(self, number):
        """SIGSTOP, SIGCONT, SIGKILL."""
        self.process.send_signal(number)

    def kill(self):
        """Gone at once, as in a crash."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(10)


def _bytes(word):
    return word if isinstance(word, bytes) else str(word).encode()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory):
    """One server for all tests that do it no harm."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture
def redis_server(shared_redis):
    """That server, empty."""
    shared_redis.command("FLUSHALL")
    return shared_redis


@pytest.fixture
def own_redis(tmp_path):
    """A server of the test's own, to stop and to kill."""
    servers = []

    def start(*options):
        servers.append(RedisServer(tmp_path, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
