"""The comparison as one page of HTML that needs nothing but itself: no script, no font, no address to load from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from orchestrator.evaluation.charts import Comparison, comparison
from orchestrator.evaluation.harness import Run, Setting
from orchestrator.evaluation.intervals import Interval
from orchestrator.evaluation.scenarios import KNOWLEDGE, SCENARIOS
from orchestrator.evaluation.summary import Row, rows
from orchestrator.evaluation.svg import lines, points

__all__ = ["page", "sentence"]

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;color:#22262b;max-width:66rem;margin:2.5rem auto;padding:0 1.2rem}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2.4rem 0 .4rem}
.lead{font-size:1.15rem}.faint{color:#68707a}.pair{display:flex;flex-wrap:wrap;gap:2rem}.pair>div{flex:1 1 26rem}
.bar{display:grid;grid-template-columns:13rem 1fr 9rem;gap:.8rem;align-items:center;margin:.35rem 0}
.track{background:#eef0f2;border-radius:3px;height:1.15rem}.fill{height:100%;border-radius:3px}
table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{padding:.3rem .6rem;text-align:right}
th:first-child,td:first-child{text-align:left}th{color:#68707a;font-weight:500;border-bottom:1px solid #c9cdd2}
td{border-bottom:1px solid #eef0f2}svg{width:100%;height:auto}svg text{font-size:11px;fill:#68707a}
.key span{display:inline-block;margin-right:1.2rem}
.key i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.35rem}
"""


_TERMS: Final = {
    "Loss": "the reward that the best single model, known only afterwards, would have earned more.",
    "Loss left": """that loss as a share of what choosing at random loses: 0 % is perfect, 100 % is no better than
chance, below 0 % beats every single model. ± is the 95 % interval over orders of the prompts.""",
    "Reward": """the score of the answer less what it cost; a cost counting 0.1 means that an answer as dear as the
best-scoring model's loses a tenth of a point.""",
    "Against a mix": "the score less that of the best coin toss between two models that costs as much.",
    "Time to decide": "what choosing and learning take, in the middle of all requests.",
}


def page(runs: Sequence[Run]) -> str:
    """The whole page."""
    shown = comparison(runs)
    body = [
        "<h1>Which way of choosing a model is best?</h1>",
        f'<p class="faint">{_scope(runs)}</p>',
        f'<p class="lead">{escape(sentence(shown))}</p>',
        *_bars(shown),
        '<div class="pair">',
        f"<div><h2>How fast it is learnt</h2>{lines(shown.lines, shown.colours)}</div>",
        f"<div><h2>What it costs, what it gets</h2>{points(shown.trades, shown.colours)}</div>" if shown.trades else "",
        "</div>",
        _key(shown),
        *_tables(rows(runs)),
        *_reading(),
    ]
    head = f'<meta charset="utf-8"><title>Comparison of selectors</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(body) + "\n</body></html>\n"


def sentence(shown: Comparison) -> str:
    """The result in words."""
    if not shown.bars:
        return "No run can be compared: the best model and random choice are worth the same here."
    best = shown.bars[0]
    said = (
        f"{best.selector} left {_percent(best.share.mean)} of the loss that random choice makes, "
        f"where knowing the best model from the start would leave none"
    )
    if len(shown.bars) < 2:
        return f"{said}."
    second = shown.bars[1]
    apart = best.share.high < second.share.low
    clear = "" if apart else "; with so few runs that may be chance"
    return f"{said}. The next, {second.selector}, left {_percent(second.share.mean)}{clear}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _scope(runs: Sequence[Run]) -> str:
    settings = {run.setting for run in runs}
    sets = sorted({setting.dataset for setting in settings})
    seeds = len({run.seed for run in runs})
    return f"{len(runs)} runs: {len(settings)} situations, {seeds} orders of the prompts, on {escape(', '.join(sets))}"


def _bars(shown: Comparison) -> Iterable[str]:
    yield "<h2>What is left of the avoidable loss</h2>"
    widest = max([1.0, *(one.share.mean for one in shown.bars)])
    for one in shown.bars:
        width = 100 * max(0.0, one.share.mean) / widest
        fill = f'<div class="fill" style="width:{width:.1f}%;background:{shown.colours[one.selector]}"></div>'
        figure = f"{_percent(one.share.mean)}{_margin(one.share)}"
        name, track = f"<div>{escape(one.selector)}</div>", f'<div class="track">{fill}</div>'
        yield f'<div class="bar">{name}{track}<div>{figure}</div></div>'


def _margin(interval: Interval) -> str:
    return f" ± {100 * interval.half_width:.1f}" if math.isfinite(interval.half_width) else ""


def _key(shown: Comparison) -> str:
    items = (
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in shown.colours.items()
    )
    return f'<p class="key">{"".join(items)}</p>'


def _tables(table: Sequence[Row]) -> Iterable[str]:
    for setting in dict.fromkeys(row.setting for row in table):
        mine = sorted((row for row in table if row.setting == setting), key=_loss)
        tie = " The two best models are too close to tell apart in so few requests." if mine[0].near_tie else ""
        yield f"<h2>{escape(_title(setting))}</h2>"
        yield f'<p class="faint">{escape(_circumstances(setting))}{tie}</p>'
        yield "<table><tr><th>way of choosing</th><th>loss left</th><th>worst run</th><th>score</th>"
        yield "<th>USD per 1,000</th><th>against a mix</th><th>time to decide</th></tr>"
        yield from (_table_row(row) for row in mine)
        yield "</table>"


def _loss(row: Row) -> float:
    return math.inf if row.share is None else row.share.mean


def _title(setting: Setting) -> str:
    what = "" if setting.scenario == "steady" else f": {SCENARIOS[setting.scenario][0]}"
    return f"{setting.dataset}, cost counting {setting.cost_weight:g}{what}"


def _circumstances(setting: Setting) -> str:
    late = f"Results come {setting.delay} requests late" if setting.delay else "Results come at once"
    budget = "" if setting.budget is None else f"; a budget of {setting.budget:.0%} of the best-scoring model's cost"
    known = "nothing" if setting.knowledge == "nothing" else KNOWLEDGE[setting.knowledge]
    return f"{late}; known beforehand: {known}{budget}."


def _table_row(row: Row) -> str:
    cells = (
        escape(row.selector),
        "-" if row.share is None else f"{_percent(row.share.mean)}{_margin(row.share)}",
        "-" if row.worst_share is None else _percent(row.worst_share),
        f"{row.score.mean:.4f}",
        f"{1000 * row.cost_usd.mean:.4g}",
        f"{100 * row.over_mixture.mean:+.2f} points",
        f"{1e6 * row.decision_s_p50:.0f} µs",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _reading() -> Iterable[str]:
    yield "<h2>How to read this</h2><ul>"
    yield from (f"<li><b>{term}</b>: {meaning}</li>" for term, meaning in _TERMS.items())
    yield "</ul>"
