"""`orchestrator replay`: what a selector would have chosen on recorded outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.evaluation.rejection import LogReplayed
    from orchestrator.evaluation.replaying import Replayed

__all__ = ["DataSet", "DelayRounds", "Weight", "replay"]

DataSet = Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="Which data set of the folder.")]
Weight = Annotated[
    float,
    typer.Option(
        "--cost-weight", "--objective", min=0.0, help="What a cost like the best-scoring model's takes off the score."
    ),
]
DelayRounds = Annotated[int, typer.Option("--delay", min=0, help="How many requests later an outcome is known.")]


def replay(
    *,
    data: Annotated[str, typer.Argument(metavar="FOLDER|FILE.csv|builtin", help="The recorded outcomes.")] = "builtin",
    selector: Annotated[str, typer.Option(metavar="NAME[:option=value,...]", help="How to choose.")] = "default",
    dataset: DataSet = None,
    cost_weight: Weight = 0.1,
    delay: DelayRounds = 0,
    seed: Annotated[int, typer.Option(min=0, help="The order of the prompts and the selector's draws.")] = 0,
    rounds: Annotated[int | None, typer.Option(min=1, help="Stop after so many prompts.")] = None,
    log: Annotated[
        bool, typer.Option("--log", help="FILE.csv is a log of decisions with a column propensity, not a table.")
    ] = False,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Replay the decisions of a registry's own journal instead.")
    ] = None,
    rated_only: Annotated[
        bool, typer.Option("--rated-only", help="Of a journal, only decisions whose answer was rated.")
    ] = False,
    choices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write prompt_id,model of every round to this CSV.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what a selector would have chosen on recorded outcomes, and what would have come of it.

    It sees only the score and cost of the model it chose, one prompt after the other.
    """
    from orchestrator.evaluation import read_decisions, read_journal, replay_log
    from orchestrator.evaluation import replay as play

    with plainly(debug=debug):
        if log or journal is not None:
            logged = read_decisions(data) if journal is None else read_journal(journal, rated_only=rated_only)
            judged = replay_log(logged, selector, cost_weight=cost_weight, seed=seed)
            _write(judged.choices, choices)
            _tell_of_log(judged, as_json=as_json)
            return
        run = play(data, selector, dataset=dataset, cost_weight=cost_weight, delay=delay, seed=seed, rounds=rounds)
        _write(run.choices, choices)
        _tell(run, as_json=as_json)


def _write(choices: Iterable[tuple[str, str]], path: Path | None) -> None:
    import csv

    if path is None:
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("prompt_id", "model"), *choices])
    except OSError as error:
        raise UsageError(f"--choices {str(path)!r} cannot be written ({error.strerror})") from None


def _tell_of_log(run: LogReplayed, *, as_json: bool) -> None:
    from orchestrator.cli.tables import console, print_json, table

    intervals = {"mean score": run.score, "mean cost, USD": run.cost_usd, "mean reward": run.reward}
    if as_json:
        print_json(run.to_dict())
        return
    title = f"{run.selector}: {run.accepted} of {run.decisions} logged decisions are as it would have made them"
    shown = table(title, ("", "left"), ("mean", "right"), ("95 % interval", "right"))
    for name, one in intervals.items():
        shown.add_row(name, f"{one.mean:.4g}", f"{one.low:.4g} to {one.high:.4g}")
    console().print(shown)


def _tell(run: Replayed, *, as_json: bool) -> None:
    from orchestrator.cli.figures import money
    from orchestrator.cli.tables import console, print_json, table

    if as_json:
        print_json(run.to_dict())
        return
    figures = run.figures
    screen = console()
    shown = table(f"{run.selector} on {run.dataset}: {figures.rounds} prompts", ("", "left"), ("", "right"))
    shown.show_header = False
    for name, value in (
        ("mean score", f"{figures.mean_score:.4f}"),
        ("mean cost of an answer", money(figures.mean_cost_usd)),
        (f"mean reward (cost weight {run.cost_weight:g})", f"{figures.mean_reward:.4f}"),
        (f"... of the best single model, {figures.best_model}", f"{figures.best_reward:.4f}"),
        ("... of random choice", f"{figures.random_reward:.4f}"),
        ("... of the best model for each prompt", f"{figures.oracle_reward:.4f}"),
        ("regret against the best single model", f"{figures.regret:.1f}"),
        ("... as a share of random choice's", _share(figures.share_of_random)),
        ("gap closed towards the best for each prompt", _share(figures.gap_closed)),
        ("score of the best coin toss at the same cost", f"{figures.mixture_score:.4f}"),
        ("a decision with its update, p50 and p99", f"{_us(run.decision_s_p50)}, {_us(run.decision_s_p99)}"),
    ):
        shown.add_row(name, value)
    screen.print(shown)
    screen.print(_calls(run))


def _calls(run: Replayed) -> object:
    from orchestrator.cli.figures import bar, percent
    from orchestrator.cli.tables import table

    shown = table("who was asked", ("model", "left"), ("calls", "right"), ("share", "right"), ("", "left"))
    for model, calls in sorted(run.figures.calls.items(), key=lambda item: -item[1]):
        share = calls / run.figures.rounds
        shown.add_row(model, str(calls), percent(share), bar(share, width=24))
    return shown


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _us(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} µs"
