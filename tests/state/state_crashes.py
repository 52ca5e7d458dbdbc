"""Adds one call after another to a state and says a line on stdout for each that has arrived; until killed.

python state_crashes.py ADDRESS     a path, or redis://...
"""

import os
import sys
from contextlib import suppress
from itertools import count

from orchestrator.state.redis import RedisState
from orchestrator.state.sqlite import SQLiteState
from orchestrator.state.store import Parcel, StateUnavailableError


def main(address):
    """Bring, tell; every second parcel is brought twice, as if its answer had been lost."""
    store = RedisState(address) if "://" in address else SQLiteState(address)
    for number in count(1):
        arrived, wanted = 0, 1 + number % 2
        while arrived < wanted:
            with suppress(StateUnavailableError):  # another has the file; once more, as the rounds do
                store.exchange(Parcel(f"worker {os.getpid()}", number, added={"arm:m": {"pulls": 1.0}}))
                arrived += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
