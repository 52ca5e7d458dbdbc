"""A plausible wrong answer, made from a right one by looking at nothing but its text."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from orchestrator.testing.skills.classification import LABEL_SETS

__all__ = ["spoil"]

_SLIPS = (-10, -3, -2, -1, 1, 2, 3, 10)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def spoil(answer: str, rng: Random) -> str:
    """The answer with one slip in it: a sum, a field, a label, a constant or two letters that are wrong.

    >>> spoil("42", Random(1)) != "42", spoil("positive", Random(1)) in ("negative", "neutral")
    (True, True)
    """
    if _NUMBER.fullmatch(answer):
        return f"{float(answer) + rng.choice(_SLIPS):g}" if "." in answer else str(int(answer) + rng.choice(_SLIPS))
    if answer.startswith("def "):
        return _spoil_code(answer)
    if answer.startswith("{"):
        return _spoil_json(answer, rng)
    for labels in LABEL_SETS:
        if answer in labels:
            return rng.choice([label for label in labels if label != answer])
    return _spoil_text(answer, rng)


def _spoil_code(source: str) -> str:
    """The last constant is off by one."""
    last = list(re.finditer(r"\d+", source))[-1]
    return source[: last.start()] + str(int(last.group()) + 1) + source[last.end() :]


def _spoil_json(text: str, rng: Random) -> str:
    """One field is wrong, or has been forgotten."""
    fields: dict[str, Any] = json.loads(text)
    key = rng.choice(sorted(fields))
    value = fields.pop(key)
    if isinstance(value, bool):
        fields[key] = not value
    elif isinstance(value, int):
        fields[key] = value + rng.choice(_SLIPS)
    elif rng.random() < 0.5:
        fields[key] = _spoil_text(value, rng)
    return json.dumps(fields, ensure_ascii=False)


def _spoil_text(text: str, rng: Random) -> str:
    """Two neighbouring letters have changed places; where all are the same, one is doubled."""
    places = [at for at in range(len(text) - 1) if text[at].isalpha() and text[at + 1].isalpha()]
    places = [at for at in places if text[at] != text[at + 1]]
    if not places:
        return text + text[-1:]
    at = rng.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
