"""Up to where Anthropic shall remember a prompt: marks on the last block of its parts (prompt caching)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MARKS", "mark"]

MARKS = "cache_marks"
"""The parameter: the part (`tools`, `system`, `messages`) and the mark that the end of it shall bear."""

_UNMARKABLE = ("thinking", "redacted_thinking")


def mark(body: dict[str, Any], marks: Mapping[str, Any]) -> None:
    """Set the marks in a body that is to be sent; a part that is not there bears none.

    >>> body = {"system": "Be short.", "messages": [{"role": "user", "content": "Hi"}]}
    >>> mark(body, {"system": {"type": "ephemeral"}})
    >>> body["system"]
    [{'type': 'text', 'text': 'Be short.', 'cache_control': {'type': 'ephemeral'}}]
    """
    if "tools" in marks and body.get("tools"):
        body["tools"] = _marked(body["tools"], marks["tools"])
    if "system" in marks and body.get("system"):
        body["system"] = _marked(body["system"], marks["system"])
    if "messages" in marks and body["messages"]:
        last = body["messages"][-1]
        body["messages"] = [*body["messages"][:-1], {**last, "content": _marked(last["content"], marks["messages"])}]


def _marked(content: str | list[dict[str, Any]], sign: Any) -> str | list[dict[str, Any]]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not blocks or blocks[-1].get("type") in _UNMARKABLE or blocks[-1].get("text") == "":
        return content
    return [*blocks[:-1], {**blocks[-1], "cache_control": sign}]
