"""Small tables whose figures can be worked out on paper."""

import numpy as np

from orchestrator.evaluation.table import OutcomeTable


def table_of_columns(*columns, costs=None, category=None):
    """A table from one list of scores a model; costs are one number a model, 1 USD if not given."""
    score = np.array(columns, dtype=float).T
    costs = costs or [1.0] * len(columns)
    return OutcomeTable(
        name="hand-made",
        prompt_ids=tuple(f"p{row}" for row in range(len(score))),
        models=tuple("abcdefgh"[: len(columns)]),
        score=score,
        cost_usd=np.tile(np.array(costs, dtype=float), (len(score), 1)),
        category=np.array(category if category is not None else [0] * len(score), dtype=np.intp),
        categories=("x", "y"),
    )
