"""What of a look at the registry was not in the one before."""

from __future__ import annotations

from typing import Any

__all__ = ["News"]

_IN_PARTS = ("models", "decisions", "turn", "at")


class News:
    """Compares each look with the last.

    News are the rows of `models` that changed, decisions and a point that are new, and every other section that is not
    what it was; `gone` names models that have left.

    >>> news, look = News(), {"models": [{"id": "a"}], "decisions": [], "turn": {"at": 5.0}, "at": 7.0, "issues": []}
    >>> sorted(news.of(look)), news.of(look), news.of({**look, "models": [], "at": 8.0})
    (['at', 'issues', 'models', 'point'], {}, {'gone': ['a'], 'at': 8.0})
    """

    def __init__(self) -> None:
        self._sections: dict[str, Any] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._newest = 0
        self._turned_at: float | None = None

    def of(self, look: dict[str, Any]) -> dict[str, Any]:
        """The news in this look; nothing at all where there is none."""
        sections = {name: value for name, value in look.items() if name not in _IN_PARTS}
        told: dict[str, Any] = {
            name: value for name, value in sections.items() if value != self._sections.get(name, ())
        }
        rows = {row["id"]: row for row in look["models"]}
        parts = {
            "models": [row for name, row in rows.items() if row != self._rows.get(name)],
            "gone": [name for name in self._rows if name not in rows],
            "decisions": [one for one in look["decisions"] if one["number"] > self._newest],
            "point": look["turn"] if look["turn"]["at"] != self._turned_at else None,
        }
        self._sections, self._rows, self._turned_at = sections, rows, look["turn"]["at"]
        self._newest = max([self._newest, *(one["number"] for one in look["decisions"])])
        told.update({name: part for name, part in parts.items() if part})
        return {**told, "at": look["at"]} if told else {}
