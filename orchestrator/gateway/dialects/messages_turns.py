"""Anthropic's turns: blocks of text, pictures, tools and thoughts, as turns of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.core.messages import Image, Message, ToolCall
from orchestrator.gateway.refusals import RefusedError

__all__ = ["text_of", "turns_of"]


def turns_of(spec: Any) -> Iterator[Message]:
    """One turn here may be several elsewhere: results of tools are turns of their own."""
    if not isinstance(spec, Mapping) or spec.get("role") not in ("user", "assistant", "system"):
        raise RefusedError(400, "invalid_request", "a message has a 'role' (user or assistant) and 'content'")
    content = spec.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
        raise RefusedError(400, "invalid_request", "the content of a message is a text or a list of blocks")
    yield from (_result_of(block) for block in blocks if block.get("type") == "tool_result")
    thoughts = tuple(block for block in blocks if _is_signed(block))
    parts = tuple(part for block in blocks if (part := _part_of(block)) is not None)
    calls = tuple(_call_of(block) for block in blocks if block.get("type") == "tool_use")
    if parts or calls or thoughts:
        plain = "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else parts
        yield Message(spec["role"], plain, calls, thoughts=thoughts)


def _is_signed(block: Mapping[str, Any]) -> bool:
    """True for a thought that its provider would know again."""
    kind = block.get("type")
    return kind == "redacted_thinking" or (kind == "thinking" and bool(block.get("signature")))


def _result_of(block: Mapping[str, Any]) -> Message:
    return Message("tool", text_of(block.get("content") or ""), tool_call_id=str(block.get("tool_use_id")))


def _call_of(block: Mapping[str, Any]) -> ToolCall:
    return ToolCall.read(str(block.get("name")), block.get("input"), block.get("id"))


def _part_of(block: Mapping[str, Any]) -> str | Image | None:
    """Text or a picture; thoughts and tools are read elsewhere."""
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or "")
    if kind == "image":
        return _image_of(block.get("source"))
    if kind in ("tool_use", "tool_result", "thinking", "redacted_thinking"):
        return None
    raise RefusedError(400, "invalid_request", f"blocks of type {str(kind)[:40]!r} are not served: give text or image")


def _image_of(source: Any) -> Image:
    if isinstance(source, Mapping) and source.get("type") == "url":
        return Image(url=str(source.get("url")))
    if isinstance(source, Mapping) and source.get("type") == "base64":
        return Image.of(f"data:{source.get('media_type')};base64,{source.get('data')}")
    raise RefusedError(400, "invalid_request", "the source of an image has the type 'base64' or 'url'")


def text_of(content: Any) -> str:
    """The words of a content that is text or text blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise RefusedError(400, "invalid_request", "'system' and a tool's result are a text or a list of text blocks")
    return "".join(str(block.get("text") or "") for block in content if isinstance(block, Mapping))
