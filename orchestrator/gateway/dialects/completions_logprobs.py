"""How likely the tokens were, in the form that came before chat: four lists side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Likelihoods"]


class Likelihoods:
    """One answer's likelihoods as its pieces come; it knows where in the text the next token begins.

    >>> seen = [{"token": "Hi", "logprob": -0.1, "top_logprobs": [{"token": "Hi", "logprob": -0.1}]}]
    >>> likelihoods = Likelihoods()
    >>> likelihoods.more({"content": seen})["top_logprobs"], likelihoods.more({"content": seen})["text_offset"]
    ([{'Hi': -0.1}], [2])
    """

    def __init__(self) -> None:
        self._reached = 0

    def more(self, told: Mapping[str, Any] | None) -> dict[str, list[Any]] | None:
        """Those of one piece, from chat's form; None where there are none."""
        content = told.get("content") if told else None
        entries = [entry for entry in content if isinstance(entry, Mapping)] if isinstance(content, list) else []
        if not entries:
            return None
        tokens = [str(entry.get("token") or "") for entry in entries]
        return {
            "tokens": tokens,
            "token_logprobs": [entry.get("logprob") for entry in entries],
            "top_logprobs": [_others(entry.get("top_logprobs")) for entry in entries],
            "text_offset": [self._passed(token) for token in tokens],
        }

    def _passed(self, token: str) -> int:
        begins, self._reached = self._reached, self._reached + len(token)
        return begins


def _others(told: Any) -> dict[str, Any]:
    entries = told if isinstance(told, list) else []
    return {str(entry.get("token")): entry.get("logprob") for entry in entries if isinstance(entry, Mapping)}
