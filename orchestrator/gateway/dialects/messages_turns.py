"""Anthropic's turns: blocks of text, pictures, tools and thoughts, as turns of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.core.messages import Image, Message, ToolCall
from orchestrator.gateway.members import OBJECT, OBJECTS, required, text_in
from orchestrator.gateway.refusals import RefusedError

__all__ = ["text_of", "turns_of"]


def turns_of(spec: Any) -> Iterator[Message]:
    """One turn here may be several elsewhere: results of tools are turns of their own, followed by their pictures."""
    if not isinstance(spec, Mapping) or spec.get("role") not in ("user", "assistant", "system"):
        raise _refused("a message has a 'role' (user or assistant) and 'content'")
    content = spec.get("content")
    blocks: Any = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not OBJECTS.fits(blocks):
        raise _refused("the content of a message is a text or a list of blocks")
    results = [block for block in blocks if block.get("type") == "tool_result"]
    yield from map(_result_of, results)
    thoughts = tuple(block for block in blocks if _is_signed(block))
    seen = (
        _image_of(one.get("source")) for block in results for one in _blocks_of(block) if one.get("type") == "image"
    )
    parts = (*seen, *(part for block in blocks if (part := _part_of(block)) is not None))
    calls = tuple(_call_of(block) for block in blocks if block.get("type") == "tool_use")
    if parts or calls or thoughts:
        plain = "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else parts
        yield Message(spec["role"], plain, calls, thoughts=thoughts)


def _is_signed(block: Mapping[str, Any]) -> bool:
    """True for a thought that its provider would know again."""
    kind = block.get("type")
    return kind == "redacted_thinking" or (kind == "thinking" and bool(block.get("signature")))


def _result_of(block: Mapping[str, Any]) -> Message:
    call_id = required(block, "tool_use_id", str, words="the id of the call", of="a tool's result")
    for one in _blocks_of(block):
        if one.get("type") not in ("text", "image"):
            raise _refused(f"blocks of type {str(one.get('type'))[:40]!r} are not served in a tool's result")
    return Message("tool", text_of(block.get("content") or "", "a tool's result"), tool_call_id=call_id)


def _blocks_of(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content: Any = result.get("content")
    return content if OBJECTS.fits(content) else []


def _call_of(block: Mapping[str, Any]) -> ToolCall:
    name = required(block, "name", str, words="the name of a tool", of="a call of a tool")
    call_id = required(block, "id", str, words="the id of the call", of="a call of a tool")
    given = block.get("input")
    if given is not None and not OBJECT.fits(given):
        raise _refused("the 'input' of a call of a tool is an object")
    return ToolCall.read(name, given, call_id)


def _part_of(block: Mapping[str, Any]) -> str | Image | None:
    """Text or a picture; thoughts and tools are read elsewhere."""
    kind = block.get("type")
    if kind == "text":
        return text_in(block, "text", of="a text block")
    if kind == "image":
        return _image_of(block.get("source"))
    if kind in ("tool_use", "tool_result", "thinking", "redacted_thinking"):
        return None
    raise _refused(f"blocks of type {str(kind)[:40]!r} are not served: give text or image")


def _image_of(source: Any) -> Image:
    kind = source.get("type") if isinstance(source, Mapping) else None
    if kind == "url":
        return Image(url=required(source, "url", str, words="an address", of="an image"))
    if kind == "base64":
        data = required(source, "data", str, words="its content in base64", of="an image")
        return Image.of(f"data:{source.get('media_type') or ''};base64,{data}")
    raise _refused("the source of an image has the type 'base64' or 'url'")


def text_of(content: Any, what: str) -> str:
    """The words of a content that is text or text blocks; `what` it is the content of, for people."""
    if isinstance(content, str):
        return content
    if not OBJECTS.fits(content):
        raise _refused(f"{what} is a text or a list of text blocks")
    return "".join(text_in(block, "text", of="a text block") for block in content if block.get("type") == "text")


def _refused(why: str) -> RefusedError:
    return RefusedError(400, "invalid_request", why, param="messages")
