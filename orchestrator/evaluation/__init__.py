"""Evaluation: what another selector would have done, which model is best, and how sure one can be.

>>> run = replay("builtin", "ucb", rounds=200, seed=1)
>>> figures(builtin(), run.choices) == run.figures
True
"""

from __future__ import annotations

from orchestrator.evaluation.best_model import BestModel, Verdict
from orchestrator.evaluation.changes import Falls, Joins, Leaves, Outage, Reprices
from orchestrator.evaluation.decisions import Decision, as_logged, read_decisions
from orchestrator.evaluation.estimators import Estimate, clipped, doubly_robust, ips, shrunk_doubly_robust, snips
from orchestrator.evaluation.figures import Figures, figures
from orchestrator.evaluation.harness import bench_selectors
from orchestrator.evaluation.journalled import read_journal
from orchestrator.evaluation.logged import Logged, guess_by_category
from orchestrator.evaluation.rejection import LogReplayed, replay_log
from orchestrator.evaluation.replaying import Replayed, replay
from orchestrator.evaluation.table import OutcomeTable
from orchestrator.evaluation.tables import builtin, datasets, load, load_wide
from orchestrator.evaluation.taught import learnt_from_journal

__all__ = [
    "BestModel",
    "Decision",
    "Estimate",
    "Falls",
    "Figures",
    "Joins",
    "Leaves",
    "LogReplayed",
    "Logged",
    "Outage",
    "OutcomeTable",
    "Replayed",
    "Reprices",
    "Verdict",
    "as_logged",
    "bench_selectors",
    "builtin",
    "clipped",
    "datasets",
    "doubly_robust",
    "figures",
    "guess_by_category",
    "ips",
    "learnt_from_journal",
    "load",
    "load_wide",
    "read_decisions",
    "read_journal",
    "replay",
    "replay_log",
    "shrunk_doubly_robust",
    "snips",
]
