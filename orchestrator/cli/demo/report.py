"""What happened, in figures: pure functions over the records of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.cli.demo.records import POLICIES, Outage, Phase, PolicyName, Sent, phase_of

__all__ = ["ModelFigures", "PhaseFigures", "PolicyFigures", "Report", "quantile", "report"]


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model: what the engine made of it, and what its answers under all policies were worth.

    `answers` and `share` count the engine's answers, `calls` its attempts; latencies (s) and cost are of those too.
    `quality` and `usd_per_1000` are means over the `measured_on` answers it gave to anybody in this run; None means
    that there was nothing to measure.
    """

    id: str
    answers: int
    share: float
    calls: int
    failures: int
    success_rate: float | None
    p50_s: float | None
    p95_s: float | None
    cost_usd: float
    quality: float | None
    usd_per_1000: float | None
    measured_on: int


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """The engine before, during and after the outage; `shares` by model id."""

    phase: Phase
    prompts: int
    answered: int
    failovers: int
    quality: float | None
    cost_usd: float
    usd_per_1000: float | None
    p50_s: float | None
    p95_s: float | None
    shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """One way to choose, over the same prompts; an unanswered prompt counts as quality 0."""

    policy: PolicyName
    prompts: int
    answered: int
    errors: int
    quality: float | None
    quality_of_answers: float | None
    cost_usd: float
    usd_per_1000: float | None
    p50_s: float | None
    p95_s: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole run. `failovers` counts answers that came from another model than the one asked first."""

    prompts: int
    answered: int
    errors: int
    failovers: int
    quality: float | None
    cost_usd: float
    p50_s: float | None
    p95_s: float | None
    own_p50_us: float | None
    own_p95_us: float | None
    outage: Outage
    models: list[ModelFigures]
    phases: list[PhaseFigures]
    policies: list[PolicyFigures]
    quality_by_category: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """The same figures, ready for JSON."""
        return asdict(self) | {"outage": self.outage._asdict()}

    def policy(self, name: PolicyName) -> PolicyFigures:
        """The figures of one policy."""
        return next(figures for figures in self.policies if figures.policy == name)


def report(sent: Sequence[Sent], outage: Outage, model_ids: Sequence[str]) -> Report:
    """The figures of a run; every total is the sum of its parts."""
    ours = [one for one in sent if one.policy == "engine"]
    whole = _policy("engine", ours)
    own_us = [one.own_s * 1e6 for one in ours if one.own_s is not None]
    return Report(
        prompts=whole.prompts,
        answered=whole.answered,
        errors=whole.errors,
        failovers=sum(one.failed_over for one in ours),
        quality=whole.quality,
        cost_usd=whole.cost_usd,
        p50_s=whole.p50_s,
        p95_s=whole.p95_s,
        own_p50_us=quantile(own_us, 0.50),
        own_p95_us=quantile(own_us, 0.95),
        outage=outage,
        models=[_model(model_id, sent, ours) for model_id in model_ids],
        phases=[_phase(phase, ours, outage) for phase in ("before", "during", "after")],
        policies=[_policy(name, [one for one in sent if one.policy == name]) for name in POLICIES],
        quality_by_category=_by_category(ours),
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which this share of them lies, between neighbours by proportion; None without values.

    >>> quantile([3.0, 1.0, 2.0], 0.5), quantile([1.0, 2.0], 0.75), quantile([], 0.5)
    (2.0, 1.75, None)
    """
    if not values:
        return None
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (place - below)


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def _per_1000(cost_usd: float, prompts: int) -> float | None:
    return 1000 * cost_usd / prompts if prompts else None


def _latencies(sent: Iterable[Sent]) -> list[float]:
    return [one.took_s for one in sent if one.model_id is not None]


def _model(model_id: str, sent: Sequence[Sent], ours: Sequence[Sent]) -> ModelFigures:
    calls = [attempt for one in ours for attempt in one.attempts if attempt.model_id == model_id]
    good = [attempt.latency_s for attempt in calls if attempt.error_type is None]
    answers = sum(one.model_id == model_id for one in ours)
    measured = [one for one in sent if one.model_id == model_id]
    spent = sum(attempt.cost_usd or 0.0 for one in measured for attempt in one.attempts[-1:])
    return ModelFigures(
        id=model_id,
        answers=answers,
        share=answers / sum(one.model_id is not None for one in ours) if answers else 0.0,
        calls=len(calls),
        failures=len(calls) - len(good),
        success_rate=len(good) / len(calls) if calls else None,
        p50_s=quantile(good, 0.50),
        p95_s=quantile(good, 0.95),
        cost_usd=sum(attempt.cost_usd or 0.0 for attempt in calls),
        quality=_mean(one.quality for one in measured),
        usd_per_1000=_per_1000(spent, len(measured)),
        measured_on=len(measured),
    )


def _phase(phase: Phase, ours: Sequence[Sent], outage: Outage) -> PhaseFigures:
    part = [one for one in ours if phase_of(one.number, outage) == phase]
    figures = _policy("engine", part)
    served = Counter(one.model_id for one in part if one.model_id is not None)
    return PhaseFigures(
        phase=phase,
        prompts=figures.prompts,
        answered=figures.answered,
        failovers=sum(one.failed_over for one in part),
        quality=figures.quality,
        cost_usd=figures.cost_usd,
        usd_per_1000=figures.usd_per_1000,
        p50_s=figures.p50_s,
        p95_s=figures.p95_s,
        shares={model_id: count / figures.answered for model_id, count in served.most_common()},
    )


def _policy(name: PolicyName, sent: Sequence[Sent]) -> PolicyFigures:
    answered = [one for one in sent if one.model_id is not None]
    cost_usd = sum(one.cost_usd for one in sent)
    return PolicyFigures(
        policy=name,
        prompts=len(sent),
        answered=len(answered),
        errors=len(sent) - len(answered),
        quality=_mean(one.quality for one in sent),
        quality_of_answers=_mean(one.quality for one in answered),
        cost_usd=cost_usd,
        usd_per_1000=_per_1000(cost_usd, len(sent)),
        p50_s=quantile(_latencies(sent), 0.50),
        p95_s=quantile(_latencies(sent), 0.95),
    )


def _by_category(ours: Sequence[Sent]) -> dict[str, float | None]:
    categories = sorted({one.category for one in ours})
    return {name: _mean(one.quality for one in ours if one.category == name) for name in categories}
