"""When to write: after every change while writing is quick, and gathered while it is slow."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterable

from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model
from orchestrator.models.storage.contract import ModelStore, StorageError
from orchestrator.models.storage.record import info_of, text_of

__all__ = ["Keeper"]

_log = logging.getLogger(__name__)
_keepers: set[Keeper] = set()
_AT_ONCE = 16  # changes in quick succession that are each written at once
_SHARE = 20  # after that, one part of the time in so many goes into writing
_LONGEST_S = 1.0  # that a change waits


class Keeper:
    """Keeps the models of a registry in a store.

    A change is written before the call that made it returns. Only in a long burst of changes to a registry whose
    writing takes time are they gathered, for a second at most; `save`, the end of the process and another registry
    that opens the same place write all of it, and what was edited in place too.
    """

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._models: dict[str, Model] = {}
        self._read = "[]"  # the records as they were read; what was read may be edited in place since
        self._texts: dict[str, str] | None = None  # the records as they were last written, made when they are wanted
        self._changed: dict[str, str] = {}
        self._gone: set[str] = set()
        self._lock = threading.Lock()  # over what was noted; never held while something is written
        self._writing = threading.RLock()  # over the store and what it holds
        self._timer: threading.Timer | None = None
        self._noted_at = self._ended_at = -_LONGEST_S
        self._took_s, self._in_a_row = 0.0, 0

    @property
    def place(self) -> str:
        """Where the store is, in words."""
        return self._store.place

    def read(self) -> list[ModelInfo]:
        """All that is stored; what registries of this process have not written yet is written first."""
        for other in tuple(_keepers):
            if other.place == self.place:
                other.save()
        records = list(self._store.read().values())
        self._read = json.dumps(records)
        _keepers.add(self)
        return [info_of(record, place=self.place) for record in records]

    def restored(self, models: Iterable[Model]) -> None:
        """These came out of the store."""
        self._models = {model.id: model for model in models}

    def note(self, models: Iterable[Model]) -> None:
        """These came or changed; a StorageError for what cannot be stored comes before anything is noted."""
        by_id = {model.id: model for model in models}
        texts = {model_id: text_of(model.info) for model_id, model in by_id.items()}
        with self._lock:
            self._models |= by_id
            self._changed |= texts
            self._gone -= texts.keys()

    def note_gone(self, model_id: str) -> None:
        """This one left."""
        with self._lock:
            self._models.pop(model_id, None)
            self._changed.pop(model_id, None)
            self._gone.add(model_id)

    def settle(self) -> None:
        """Write what was noted, now or soon."""
        with self._writing:
            if not (self._changed or self._gone):
                return
            wait_s = self._wait_s()
            if wait_s <= 0:
                self._write()
            elif self._timer is None:
                self._timer = threading.Timer(wait_s, self._late)
                self._timer.daemon = True  # the end of the process writes what it would have written
                self._timer.start()

    def save(self) -> None:
        """Write all that differs from what is stored, edits in place included; StorageError when it cannot be."""
        with self._writing:
            written = self._written()
            with self._lock:
                models = dict(self._models)
            texts = {model_id: text_of(model.info) for model_id, model in models.items()}
            edited = {model_id: text for model_id, text in texts.items() if written.get(model_id) != text}
            with self._lock:  # what was noted meanwhile is younger
                still = {model_id: text for model_id, text in edited.items() if model_id in self._models}
                self._changed = {**still, **self._changed}
            if self._changed or self._gone:
                self._write()

    def close(self) -> None:
        """The registry is gone, or the process ends."""
        _keepers.discard(self)
        try:
            self.save()
        except Exception:  # noqa: BLE001 - the boundary: nobody is left to tell
            _log.exception("the models in %r could not be saved", self.place)

    def _written(self) -> dict[str, str]:
        if self._texts is None:
            infos = (info_of(record, place=self.place) for record in json.loads(self._read))
            self._texts, self._read = {info.id: text_of(info) for info in infos}, "[]"
        return self._texts

    def _wait_s(self) -> float:
        """How long this change may wait: not at all, but in a burst until a pause after the last writing is over."""
        now = time.monotonic()
        pause_s = min(_SHARE * self._took_s, _LONGEST_S)
        self._in_a_row = self._in_a_row + 1 if now < self._noted_at + pause_s else 0
        self._noted_at = now
        return 0.0 if self._in_a_row <= _AT_ONCE else self._ended_at + pause_s - now

    def _late(self) -> None:
        try:
            with self._writing:
                self._timer = None
                if self._changed or self._gone:
                    self._write()
        except StorageError as error:  # nobody waits for it here; the next save tells its caller
            _log.error("%s", error)

    def _write(self) -> None:
        started = time.monotonic()
        with self._lock:
            changed, gone = self._changed, self._gone
            self._changed, self._gone = {}, set()
        records = {model_id: text for model_id, text in self._written().items() if model_id not in gone} | changed
        try:
            self._store.write(records, changed=changed.keys(), gone=gone)
        except BaseException:
            with self._lock:  # not written yet, unless something younger was noted meanwhile
                self._changed = {
                    **{model_id: text for model_id, text in changed.items() if model_id not in self._gone},
                    **self._changed,
                }
                self._gone |= gone - self._changed.keys()
            raise
        self._texts = records
        self._ended_at = time.monotonic()
        self._took_s = self._ended_at - started
