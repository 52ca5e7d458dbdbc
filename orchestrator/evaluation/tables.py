"""Where outcome tables come from: a folder of recorded outcomes, a wide CSV, or the built-in workload."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.evaluation.cells import Sheet, broken, read_number, sheet
from orchestrator.evaluation.table import Codes, OutcomeTable
from orchestrator.evaluation.workload import builtin

__all__ = ["Source", "builtin", "datasets", "load", "load_wide", "table_of"]

Source = OutcomeTable | str | os.PathLike[str]

_PROMPTS, _OUTCOMES = ".prompts.csv", ".outcomes.csv"
_ID_NAMES = ("prompt_id", "sample_id", "id", "prompt")
_CATEGORY_NAMES = ("category", "eval_name", "task")
_COST_ENDINGS = ("|cost_usd", "|cost", "|total_cost", "_cost_usd", "_cost", ":cost_usd", ":cost")


def table_of(source: Source, *, dataset: str | None = None) -> OutcomeTable:
    """The table meant by a table, by the word "builtin", by a folder and a data set's name, or by a wide CSV."""
    if isinstance(source, OutcomeTable):
        return source
    path = Path(source)
    if source == "builtin":
        return builtin()
    return load(path, dataset=dataset) if path.is_dir() else load_wide(path)


def datasets(folder: str | os.PathLike[str]) -> list[str]:
    """The names of the data sets in a folder."""
    found = {path.name.partition(_OUTCOMES)[0] for path in Path(folder).glob(f"*{_OUTCOMES}*")}
    return sorted(name for name in found if _file(Path(folder), name, _PROMPTS).exists())


def load(folder: str | os.PathLike[str], *, dataset: str | None = None) -> OutcomeTable:
    """Read `<set>.prompts.csv[.gz]` and `<set>.outcomes.csv[.gz]`; the name may be left out when there is one set.

    Raises ConfigurationError with file, line and column for a broken row, a prompt given twice, an outcome given
    twice or of an unknown prompt, and a prompt that some model has not answered.
    """
    home, known = Path(folder), datasets(folder)
    if not known:
        raise ConfigurationError(f"{home}: no data set here; one is a pair NAME{_PROMPTS}.gz and NAME{_OUTCOMES}.gz")
    if dataset is None and len(known) > 1:
        raise ConfigurationError(f"{home} holds several data sets: say dataset={' or '.join(map(repr, known))}")
    name = dataset or known[0]
    if name not in known:
        raise ConfigurationError(f"{home} has no data set {name!r}; {did_you_mean(name, known)}")
    prompts = sheet(_file(home, name, _PROMPTS), needs=("prompt_id", "category"))
    outcomes = sheet(_file(home, name, _OUTCOMES), needs=("prompt_id", "model", "score", "cost_usd"))
    return _joined(name, prompts, outcomes)


def _file(home: Path, name: str, ending: str) -> Path:
    zipped = home / f"{name}{ending}.gz"
    return zipped if zipped.exists() else home / f"{name}{ending}"


def _joined(name: str, prompts: Sheet, outcomes: Sheet) -> OutcomeTable:
    """Prompts by outcomes, as dense arrays."""
    row_of = _rows_by_id(prompts, prompts.column("prompt_id"))
    models = tuple(dict.fromkeys(row[outcomes.column("model")] for row in outcomes.rows))
    score = np.full((len(row_of), len(models)), np.nan)
    cost_usd = np.full_like(score, np.nan)
    _fill(score, cost_usd, outcomes, row_of, models)
    _complete(score, prompts, outcomes, models)
    codes, categories = _coded([row[prompts.column("category")] for row in prompts.rows])
    texts = prompts.header.index("prompt") if "prompt" in prompts.header else None
    return OutcomeTable(
        name=name,
        prompt_ids=tuple(row_of),
        models=models,
        score=score,
        cost_usd=cost_usd,
        category=codes,
        categories=categories,
        prompts=None if texts is None else tuple(row[texts] for row in prompts.rows),
    )


def _rows_by_id(prompts: Sheet, column: int) -> dict[str, int]:
    row_of: dict[str, int] = {}
    for number, row in enumerate(prompts.rows):
        first = row_of.setdefault(row[column], number)
        if first != number:
            why = f"prompt {row[column][:40]!r} stands on line {prompts.lines[first]} already"
            raise broken(prompts, number, column, why)
    return row_of


def _fill(
    score: np.ndarray, cost_usd: np.ndarray, outcomes: Sheet, row_of: dict[str, int], models: tuple[str, ...]
) -> None:
    column_of = {model: number for number, model in enumerate(models)}
    names = ("prompt_id", "model", "score", "cost_usd")
    id_at, model_at, score_at, cost_at = (outcomes.column(name) for name in names)
    for number, row in enumerate(outcomes.rows):
        place = row_of.get(row[id_at])
        if place is None:
            raise broken(outcomes, number, id_at, f"prompt {row[id_at][:40]!r} is not in the file of prompts")
        column = column_of[row[model_at]]
        if not np.isnan(score[place, column]):
            raise broken(outcomes, number, model_at, f"{row[model_at]!r} has answered this prompt already")
        score[place, column] = read_number(outcomes, number, score_at, most=1.0)
        cost_usd[place, column] = read_number(outcomes, number, cost_at)


def _complete(score: np.ndarray, prompts: Sheet, outcomes: Sheet, models: tuple[str, ...]) -> None:
    """Complain about the first prompt that a model has not answered."""
    missing = np.argwhere(np.isnan(score))
    if len(missing):
        row, column = (int(place) for place in missing[0])
        id_at = prompts.column("prompt_id")
        why = (
            f"{outcomes.path.name} has no outcome of model {models[column]!r} for this prompt ({len(missing)} missing)"
        )
        raise broken(prompts, row, id_at, why)


def _coded(labels: list[str]) -> tuple[Codes, tuple[str, ...]]:
    names = tuple(sorted(set(labels)))
    code_of = {name: code for code, name in enumerate(names)}
    return np.array([code_of[label] for label in labels], dtype=np.intp), names


class _ModelColumns(NamedTuple):
    name: str
    score_at: int
    cost_at: int


def load_wide(path: str | os.PathLike[str]) -> OutcomeTable:
    """Read a CSV of one row a prompt with two columns a model: `NAME|score` (or just `NAME`) and `NAME|cost_usd`.

    The prompt's column is `prompt_id`, `sample_id`, `id` or `prompt`; a column `category`, `eval_name` or `task` is
    used when there is one. Columns of other names are left alone. Costs are USD an answer.
    """
    wide = sheet(Path(path))
    id_at = next((wide.header.index(name) for name in _ID_NAMES if name in wide.header), None)
    models = list(_models(wide))
    if id_at is None:
        raise ConfigurationError(f"{wide.path}, line 1: no column names the prompt; call one {' or '.join(_ID_NAMES)}")
    if not models or not wide.rows:
        raise ConfigurationError(f"{wide.path}, line 1: no models; each has two columns, NAME|score and NAME|cost_usd")
    label = next((wide.header.index(name) for name in _CATEGORY_NAMES if name in wide.header), None)
    codes, categories = _coded(["all" if label is None else row[label] for row in wide.rows])
    rows = range(len(wide.rows))
    score = [[read_number(wide, row, model.score_at, most=1.0) for model in models] for row in rows]
    cost_usd = [[read_number(wide, row, model.cost_at) for model in models] for row in rows]
    return OutcomeTable(
        name=wide.path.name.partition(".csv")[0],
        prompt_ids=tuple(_rows_by_id(wide, id_at)),
        models=tuple(model.name for model in models),
        score=np.array(score),
        cost_usd=np.array(cost_usd),
        category=codes,
        categories=categories,
        prompts=tuple(row[wide.header.index("prompt")] for row in wide.rows) if "prompt" in wide.header else None,
    )


def _models(wide: Sheet) -> Iterator[_ModelColumns]:
    """Every model with its two columns; a cost without a score, or a score without a cost, is an error."""
    for at, heading in enumerate(wide.header):
        ending = next((ending for ending in _COST_ENDINGS if heading.endswith(ending)), None)
        if ending is None:
            continue
        name = heading.removesuffix(ending)
        scores = [spelt for spelt in (f"{name}{ending[0]}score", name) if spelt in wide.header]
        if not scores:
            raise ConfigurationError(f"{wide.path}, line 1, column {at + 1}: {name!r} has a cost and no {name}|score")
        yield _ModelColumns(name, wide.header.index(scores[0]), at)
    costed = {heading.removesuffix(end) for heading in wide.header for end in _COST_ENDINGS if heading.endswith(end)}
    for at, heading in enumerate(wide.header):
        name = heading[: -len("|score")]
        if heading.endswith(("|score", "_score", ":score")) and name not in costed:
            raise ConfigurationError(
                f"{wide.path}, line 1, column {at + 1}: {name!r} has a score and no {name}|cost_usd"
            )
