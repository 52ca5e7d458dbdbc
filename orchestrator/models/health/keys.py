"""The circuits of keys: one that is refused takes out all of its models, and is told about once."""

from __future__ import annotations

import logging
import random

from orchestrator.core.circuit import Circuit, Rules, Sentence
from orchestrator.core.model import Model

__all__ = ["Keys"]

_RULES = Rules(failure_threshold=1, recovery_threshold=1)
_FORGETS_S = 600.0
_log = logging.getLogger(__name__)

KeyName = tuple[str, str]  # provider, and a digest that tells keys apart without telling them


class Keys:
    """Knows the keys that are out or on trial; a key that is changed has another name and so a clean record."""

    __slots__ = ("_providers", "_random", "refused")

    def __init__(self, rng: random.Random) -> None:
        self.refused: dict[KeyName, Circuit] = {}
        self._providers: frozenset[str] = frozenset()
        self._random = rng

    @staticmethod
    def name_of(model: Model) -> KeyName:
        """What models with the same key have in common."""
        return model.provider, model.key_id

    def concern(self, model: Model) -> bool:
        """True when a key of the model's provider was refused of late; a look that costs nothing when none was."""
        return bool(self._providers) and model.provider in self._providers

    def of(self, model: Model) -> Circuit | None:
        """The circuit of a model's key, where the key was refused of late."""
        return self.refused.get(self.name_of(model)) if self.concern(model) else None

    def refuse(self, model: Model, now: float, *, began: float, reason: str, sentence: Sentence) -> None:
        """A call was refused for its key."""
        name = self.name_of(model)
        if name not in self.refused:
            _log.warning("key %s of %s: %s; its models are set aside", name[1][:8], name[0], reason)
        self.record(model).failed(now, began=began, reason=reason, sentence=sentence)

    def record(self, model: Model) -> Circuit:
        """The circuit of a model's key, begun where there was none."""
        name = self.name_of(model)
        if name not in self.refused:
            self.refused[name] = Circuit(_RULES, self._random)
            self._providers = frozenset(provider for provider, _ in self.refused)
        return self.refused[name]

    def accept(self, model: Model, now: float, *, began: float, paid: bool) -> Circuit | None:
        """A call was not refused: the key is good again; returns the record that this has closed.

        Without credit a free call is accepted all the same, so one that is not `paid` proves nothing about that.
        """
        for unused in [known for known, one in self.refused.items() if now - one.out_until > _FORGETS_S]:
            self.forget(unused)  # nobody asked for it since: it was changed
        name = self.name_of(model)
        circuit = self.refused.get(name)
        if circuit is None or began < circuit.opened_at or not (paid or (circuit.reason or "").startswith("authent")):
            return None
        _log.info("key %s of %s is accepted again", name[1][:8], name[0])
        self.forget(name)
        return circuit

    def forget(self, name: KeyName) -> None:
        """Its record is clean."""
        self.refused.pop(name, None)
        self._providers = frozenset(provider for provider, _ in self.refused)
