"""Which of the models may be chosen for this need; kept as long as nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.core.model import Model
from orchestrator.core.requirements import Requirements, why_not
from orchestrator.errors import OrchestratorError
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.roster.deprecation import days_end_s, retired, warn_once

if TYPE_CHECKING:
    from orchestrator.selectors.selector import ModelSelector, Slate

__all__ = ["Eligibility", "Eligible"]

_MOST_KEPT = 512  # answers for different needs
_SETUP_AGAIN_S = 1.0  # until a missing key is looked for again
_LIVE_FOR = 16  # outcomes after which measured figures are looked at again


class Eligible:
    """One answer: the models that fit, as the selector's slate, and why the others do not.

    `panic` is True when all that fit were out for their health, and are offered all the same.
    """

    __slots__ = ("ids", "outcomes", "panic", "reasons", "retiring", "slate", "until", "version")

    def __init__(
        self, ids: tuple[str, ...], slate: Slate, reasons: dict[str, str], *, until: float, panic: bool
    ) -> None:
        self.ids = ids
        self.slate = slate
        self.reasons = reasons
        self.until = until
        self.panic = panic
        self.retiring: frozenset[str] = frozenset()  # those with a deprecation date
        self.version = 0
        self.outcomes = 0


class Eligibility:
    """Judges every model against a need, and remembers the verdict until models, health or measures move."""

    def __init__(self, selector: ModelSelector, health: ModelHealthMonitor) -> None:
        self._selector = selector
        self._health = health
        self._kept: dict[Requirements, Eligible] = {}
        self._warned: set[str] = set()

    def of(self, models: Mapping[str, Model], wanted: Requirements, *, version: int, outcomes: int) -> Eligible:
        """The verdict for this need; `version` and `outcomes` say how far the registry and its measures are."""
        kept = self._kept.get(wanted)
        if kept is not None and kept.version == version and self._fresh(kept, wanted, outcomes):
            return kept
        verdict = self._judge(models, wanted)
        verdict.version, verdict.outcomes = version, outcomes
        if wanted.custom_filter is not None:
            return verdict  # a user's function may answer differently the next time
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[wanted] = verdict
        return verdict

    def warn_of(self, model: Model) -> None:
        """Say once that this model, just chosen, will be withdrawn."""
        warn_once(model, self._warned)

    def _fresh(self, kept: Eligible, wanted: Requirements, outcomes: int) -> bool:
        if wanted.is_live and outcomes - kept.outcomes >= _LIVE_FOR:
            return False
        return kept.until == _FOREVER or kept.until > self._health.clock.monotonic()

    def _judge(self, models: Mapping[str, Model], wanted: Requirements) -> Eligible:
        reasons: dict[str, str] = {}
        fit: list[str] = []
        out: list[str] = []
        until = _FOREVER
        today_s = self._health.clock.time()
        for model_id, model in tuple(models.items()):
            unready = _unready(model)
            if unready is not None:
                until = min(until, self._health.clock.monotonic() + _SETUP_AGAIN_S)
            reason = unready or retired(model, today_s) or why_not(model, wanted) or self._selector.refuses(model_id)
            if reason is not None:
                reasons[model_id] = reason
                continue
            blocked = self._health.blocks(model)
            if blocked is None:
                fit.append(model_id)
            else:
                reasons[model_id], until = blocked[0], min(until, blocked[1])
                out.append(model_id)
        worth = [] if fit or self._health.on_all_down == "fail" else self._health.least_bad(models[one] for one in out)
        ids, panic = tuple(fit or [model.id for model in worth]), bool(worth)
        ends_s = {model_id: end_s for model_id in ids if (end_s := days_end_s(models[model_id])) is not None}
        if ends_s:
            until = min(until, self._health.clock.monotonic() + min(ends_s.values()) - today_s)
        verdict = Eligible(ids, self._selector.slate(ids), reasons, until=until, panic=panic)
        verdict.retiring = frozenset(ends_s)
        return verdict


def _unready(model: Model) -> str | None:
    """Why a model cannot be called; one whose own check fails is out, and the others are not."""
    try:
        return model.setup_issue()
    except OrchestratorError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - the boundary: a provider of the user's may raise anything
        return f"cannot be set up: {type(error).__name__}"


_FOREVER = float("inf")
