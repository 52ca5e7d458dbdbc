"""The built-in workload: prompts, models and prices from a seed, so that a comparison needs no files."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.table import OutcomeTable

__all__ = ["FLEET", "Made", "builtin"]

CATEGORIES: Final = ("chat", "code", "extraction", "maths", "translation")
_WORDINGS: Final = (
    ("Tell me something about {}.", "What do you think of {}?"),
    ("Write a Python function that sorts {} by age.", "import {} fails in my script; why?"),
    ("List the dates and amounts in this letter about {}.", "Give me the names in this report on {} as JSON."),
    ("How many ways are there to put 7 {} in a row?", "Calculate 12 percent of 380 {}."),
    ("Translate into French: the {} were late again.", "Translate into German: we need more {}."),
)
_SUBJECTS: Final = ("trains", "invoices", "apples", "gardens", "lighthouses", "violins", "bridges", "kites")
_SHARES: Final = (0.30, 0.20, 0.25, 0.10, 0.15)
_TOKENS: Final = ((250, 350), (600, 700), (1500, 120), (150, 900), (400, 400))  # mean input and output, by category
_CERTAINTY: Final = 8.0  # how much prompts of one category differ in difficulty: a Beta's total count


class Made(NamedTuple):
    """A model of the workload: USD per 1M tokens in and out, and the share of right answers in each category."""

    name: str
    input_usd: float
    output_usd: float
    chat: float
    code: float
    extraction: float
    maths: float
    translation: float


# strong and dear, weak and cheap, and specialists between them: here routing by category can beat any single model
FLEET: Final = (
    Made("atlas-large", 5.0, 25.0, 0.92, 0.90, 0.94, 0.88, 0.92),
    Made("atlas-medium", 1.0, 5.0, 0.89, 0.81, 0.93, 0.72, 0.90),
    Made("atlas-small", 0.10, 0.40, 0.80, 0.55, 0.88, 0.40, 0.82),
    Made("borealis", 3.0, 15.0, 0.90, 0.92, 0.90, 0.75, 0.86),
    Made("borealis-mini", 0.25, 1.25, 0.78, 0.80, 0.80, 0.45, 0.74),
    Made("coder", 0.40, 1.60, 0.60, 0.91, 0.70, 0.72, 0.50),
    Made("linguist", 0.30, 0.90, 0.82, 0.35, 0.84, 0.30, 0.94),
    Made("reasoner", 1.5, 8.0, 0.80, 0.85, 0.84, 0.94, 0.74),
    Made("tiny-local", 0.0, 0.0, 0.62, 0.30, 0.70, 0.18, 0.60),
)


def builtin(*, prompts: int = 2_000, seed: int = 0) -> OutcomeTable:
    """Right-or-wrong answers of nine invented models to prompts of five categories; the same seed, the same table.

    The easier a prompt is within its category the more models answer it, as in recorded data, so that what a
    per-prompt oracle gains is mostly luck.

    >>> table = builtin(prompts=400)
    >>> table.score.shape, table.categories[:2], (table.score == builtin(prompts=400).score).all().item()
    ((400, 9), ('chat', 'code'), True)
    """
    if prompts < 1:
        raise ConfigurationError(f"prompts={prompts!r}: a number from 1 up")
    rng = np.random.default_rng(seed)
    category = rng.choice(len(CATEGORIES), size=prompts, p=_SHARES)
    quality = np.array([made[3:] for made in FLEET]).T[category]
    ease = rng.beta(_CERTAINTY / 2, _CERTAINTY / 2, size=(prompts, 1)) - 0.5
    chance = np.clip(quality + 2 * ease * quality * (1 - quality), 0.0, 1.0)
    score = (rng.random(chance.shape) < chance).astype(np.float64)
    return OutcomeTable(
        name="builtin",
        prompt_ids=tuple(f"builtin-{number:05d}" for number in range(prompts)),
        models=tuple(made.name for made in FLEET),
        score=score,
        cost_usd=_costs_usd(category, rng),
        category=category.astype(np.intp),
        categories=CATEGORIES,
        prompts=tuple(_text(number, code) for number, code in enumerate(category.tolist())),
    )


def _text(number: int, category: int) -> str:
    """Words that fit the category, so that a selector which reads prompts has something to read."""
    wordings = _WORDINGS[category]
    return wordings[number % len(wordings)].format(_SUBJECTS[number // 2 % len(_SUBJECTS)])


def _costs_usd(category: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """List price times tokens; answers differ in length by prompt and by model (log-normal)."""
    mean_in, mean_out = np.array(_TOKENS, dtype=np.float64)[category].T
    tokens_in = mean_in * rng.lognormal(-0.125, 0.5, size=len(category))
    tokens_out = mean_out[:, None] * rng.lognormal(-0.18, 0.6, size=(len(category), len(FLEET)))
    prices = np.array([(made.input_usd, made.output_usd) for made in FLEET]) / 1e6
    costs: np.ndarray = tokens_in[:, None] * prices[:, 0] + tokens_out * prices[:, 1]
    return costs
