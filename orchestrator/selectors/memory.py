"""What a selector has learnt, for others to read, to keep and to add to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from orchestrator.selectors.arm import SUMS
from orchestrator.selectors.counting import Counting
from orchestrator.selectors.state import FORMAT, change_sums, read_sums, write_sums

__all__ = ["Memory"]


class Memory(Counting):
    """The learning half of a selector: it counts calls, and its sums can be read, kept and merged."""

    def statistics(self) -> dict[str, dict[str, float | int | None]]:
        """Every arm's figures by name; None stands for what is not known yet."""
        self._freshen()
        return {
            arm.name: {
                "pulls": arm.pulls,
                "pending": self.own_pending(arm),
                "mean_quality": arm.mean_quality,
                "mean_cost_usd": arm.cost_usd,
                "mean_latency_s": arm.latency_s,
                "tokens_per_s": arm.tokens_per_s,
                **self.facts(arm),
            }
            for arm in tuple(self._known.values())
        }

    def state(self, *, only: Collection[str] | None = None) -> dict[str, Any]:
        """Everything learnt, of all arms or of some, as JSON; states of several processes merge into one."""
        known = tuple(self._known.values())
        arms = {arm.name: write_sums(arm, weight=self._weight) for arm in known if only is None or arm.name in only}
        return {"selector": self.name, "format": FORMAT, "arms": {**self._early, **arms} if only is None else arms}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add what another process, or an earlier run, has learnt; a record that cannot be true is dropped.

        The policies share their sums, so a state may come from another kind of selector. Sums of arms that are
        not enrolled yet wait for them.
        """
        for name, sums in read_sums(state):
            known = self._known.get(name)
            if sums is None:
                self.dropped += 1
            elif known is not None:
                self._add(known, sums)
                self._stale.add(known)
            else:
                waiting = self._early.setdefault(name, dict.fromkeys(sums, 0.0))
                self._early[name] = {key: waiting[key] + number for key, number in sums.items()}

    def shared_state(self, *, only: Collection[str] | None = None) -> dict[str, Any]:
        """The state as calls alone have made it, for processes that share: new prices have rescaled nothing."""
        made = self.state(only=only)
        for name, record in made["arms"].items():
            arm = self._known.get(name)
            if arm is not None and arm.repriced_usd:
                record["cost_sum_usd"] -= arm.repriced_usd / self._weight
        return made

    def absorb(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Count what other processes have seen meanwhile: differences of sums by arm, which may be negative."""
        for name, sums in changes.items():
            known = self._known.get(name)
            if known is not None:
                before = known.rated
                change_sums(known, sums, weight=self._weight)
                self._rated += known.rated - before
                self._stale.add(known)
            else:
                waiting = self._early.get(name) or dict.fromkeys(SUMS, 0.0)
                self._early[name] = {key: max(0.0, waiting[key] + sums.get(key, 0.0)) for key in SUMS}
