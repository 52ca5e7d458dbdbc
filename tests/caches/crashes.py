"""Forks writers of one cache file and kills each with SIGKILL at a random moment; then reads what is left.

    python crashes.py FOLDER ROUNDS SEED

Prints how often the file could be opened, how many entries were read, how many were wrong and how many files were
set aside.
"""

import json
import os
import random
import signal
import sys
import time
from hashlib import sha256
from pathlib import Path

from orchestrator.caches.disk import DiskStore

KEYS = 50


def value_of(key, round_number):
    """A value that proves what it is."""
    body = f"{key}/{round_number}/".encode() * (1 + round_number % 40)
    return sha256(body).digest() + body


def right(key, value):
    """True for a whole value of this key."""
    return value[:32] == sha256(value[32:]).digest() and value[32:].startswith(f"{key}/".encode())


def write_until_killed(folder, round_number, rng):
    """Write as fast as it goes."""
    store = DiskStore(directory=folder, max_size=40)
    while True:
        key = f"k{rng.randrange(KEYS)}"
        store.put(key, value_of(key, round_number), 3600)


def main(folder, rounds, seed):
    """Crash so many writers."""
    rng = random.Random(seed)
    opened = read = wrong = 0
    for round_number in range(rounds):
        child = os.fork()
        if not child:
            write_until_killed(folder, round_number, rng)
        time.sleep(rng.uniform(0.002, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        store = DiskStore(directory=folder)
        found = {key: value for key in (f"k{n}" for n in range(KEYS)) if (value := store.peek(key)) is not None}
        opened += store.figures().available
        read += len(found)
        wrong += sum(not right(key, value) for key, value in found.items())
        store._table.close()
    aside = len(list(folder.glob("*.corrupt-*")))
    sys.stdout.write(json.dumps({"opened": opened, "read": read, "wrong": wrong, "aside": aside}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
