"""Functions a model may ask for, and its asking."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Tool", "ToolCall"]


class ToolCall(NamedTuple):
    """A function the model wants called; `arguments` is a dict, or the raw text where it is no JSON object.

    `signature` belongs to the provider that sent it (Gemini signs the thinking behind a call) and goes back
    to it alone.
    """

    name: str
    arguments: dict[str, Any] | str
    id: str | None = None
    signature: str | None = None

    @classmethod
    def read(cls, name: str, arguments: Any, call_id: str | None = None) -> ToolCall:
        """A call as a provider sent it: JSON text, an object or nothing at all.

        >>> [ToolCall.read("f", raw).arguments for raw in ('{"x": 1}', "", "{")]
        [{'x': 1}, {}, '{']
        """
        if isinstance(arguments, dict):
            return cls(name, arguments, call_id)
        raw = arguments or "{}"
        try:
            parsed = json.loads(raw)
        except (ValueError, TypeError, RecursionError):
            parsed = None
        return cls(name, parsed if isinstance(parsed, dict) else str(raw), call_id)

    @property
    def broken(self) -> bool:
        """True when the arguments are not a JSON object: look before you call."""
        return isinstance(self.arguments, str)

    @property
    def arguments_json(self) -> str:
        """The arguments as JSON text, as most providers want them sent back."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


class Tool(NamedTuple):
    """A function the model may ask for; `parameters` is a JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = {"type": "object", "properties": {}}
    strict: bool | None = None

    @classmethod
    def of(cls, spec: Any) -> Tool:
        """A tool from any of the shapes in use: ours, OpenAI's, Anthropic's.

        >>> Tool.of({"type": "function", "function": {"name": "now"}}).name
        'now'
        >>> Tool.of({"name": "now", "input_schema": {"type": "object"}}).parameters
        {'type': 'object'}
        """
        if isinstance(spec, Tool):
            return spec
        inner = spec.get("function", spec) if isinstance(spec, Mapping) else None
        if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
            raise TypeError("a tool is a Tool or a mapping with 'name', 'description' and 'parameters' (a JSON Schema)")
        schema = inner.get("parameters") or inner.get("input_schema") or {"type": "object", "properties": {}}
        return cls(inner["name"], inner.get("description") or "", schema, inner.get("strict"))
