"""What can be wrong with a Redis, by its own words, and what follows from each."""

from __future__ import annotations

from enum import Enum

__all__ = ["Fault", "fault_of"]


class Fault(Enum):
    """Cause, remedy, whether asking again is pointless, and for how many seconds nothing is written."""

    SLOW = ("it does not answer in time", "")
    GONE = ("there is no connection", "it is tried again in the background")
    LOADING = ("it is still loading its data", "")
    REFUSED = ("it refuses the password or the user", "set password= and username=, or a url= with both", True)
    CLUSTER = ("it is part of a Cluster", "use RedisStore(cluster=True)", True)
    FULL = ("it is out of memory", "set maxmemory-policy allkeys-lru; writes are tried again in 5 s", False, 5.0)
    READ_ONLY = (
        "it is a read-only replica",
        "point the cache to the primary; writes are tried again in 1 s",
        False,
        1.0,
    )
    UNSAVED = ("it refuses writes until it can save to disk", "writes are tried again in 5 s", False, 5.0)
    FOREIGN = ("a key of ours holds another type", "give the cache a namespace= of its own")
    BROKEN = ("it does not speak the protocol", "is there something else at this port?")

    def __init__(self, cause: str, remedy: str, for_sure: bool = False, writes_off_s: float = 0.0) -> None:  # noqa: FBT001, FBT002 - a row
        self.cause = cause
        self.remedy = remedy
        self.for_sure = for_sure
        self.writes_off_s = writes_off_s


_BY_WORD = {
    "NOAUTH": Fault.REFUSED,
    "WRONGPASS": Fault.REFUSED,
    "NOPERM": Fault.REFUSED,
    "MOVED": Fault.CLUSTER,
    "ASK": Fault.CLUSTER,
    "CROSSSLOT": Fault.CLUSTER,
    "OOM": Fault.FULL,
    "READONLY": Fault.READ_ONLY,
    "MISCONF": Fault.UNSAVED,
    "NOREPLICAS": Fault.UNSAVED,
    "WRONGTYPE": Fault.FOREIGN,
    "LOADING": Fault.LOADING,
    "BUSY": Fault.SLOW,
}


def fault_of(error: BaseException) -> Fault:
    """The class of an error that the client raised."""
    from redis import exceptions as raised

    by_type: tuple[tuple[type[BaseException], Fault], ...] = (
        (raised.BusyLoadingError, Fault.LOADING),
        (raised.AuthenticationError, Fault.REFUSED),
        (raised.AuthorizationError, Fault.REFUSED),
        (raised.NoPermissionError, Fault.REFUSED),
        (raised.ReadOnlyError, Fault.READ_ONLY),
        (raised.OutOfMemoryError, Fault.FULL),
        (raised.MovedError, Fault.CLUSTER),
        (raised.AskError, Fault.CLUSTER),
        (raised.InvalidResponse, Fault.BROKEN),
        (raised.ResponseError, Fault.BROKEN),
        (raised.TimeoutError, Fault.SLOW),
        (TimeoutError, Fault.SLOW),
        (raised.ConnectionError, Fault.GONE),
        (OSError, Fault.GONE),
    )
    word = str(error).partition(" ")[0]
    if isinstance(error, raised.RedisError) and word in _BY_WORD:
        return _BY_WORD[word]
    return next((fault for kind, fault in by_type if isinstance(error, kind)), Fault.BROKEN)
