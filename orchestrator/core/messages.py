"""What is asked: messages, images, tools and the request; what comes back is in `replies`."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from orchestrator.core.attribution import tenant_of, usage_tags_of
from orchestrator.core.replies import ChatResponse, Chunk, Embeddings, FinishReason, Reply
from orchestrator.core.tools import Tool, ToolCall
from orchestrator.core.usage import UsageStats

__all__ = [
    "STATE_PARAMS",
    "ChatResponse",
    "Chunk",
    "Embeddings",
    "FinishReason",
    "Image",
    "Message",
    "Prompt",
    "Reply",
    "Request",
    "Tool",
    "ToolCall",
    "UsageStats",
]

Role = Literal["system", "user", "assistant", "tool"]
_ROLES = ("system", "user", "assistant", "tool")
_MEDIA_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


@dataclass(frozen=True, slots=True)
class Image:
    r"""A picture in a prompt, by address or by content.

    >>> Image.of(b"\x89PNG...").media_type
    'image/png'
    >>> Image.of("https://example.org/cat.png").url
    'https://example.org/cat.png'
    """

    url: str | None = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str | None = None

    @classmethod
    def of(cls, source: Image | bytes | Path | str) -> Image:
        """An image from bytes, a path, an http(s) address or a data: URL."""
        if isinstance(source, Image):
            return source
        if isinstance(source, Path):
            source = source.read_bytes()
        if isinstance(source, bytes):
            return cls(data=source, media_type=_media_type(source))
        if source.startswith("data:"):
            head, _, tail = source.partition(",")
            return cls(data=_decoded(tail), media_type=head[5:].partition(";")[0] or None)
        return cls(url=source)

    @property
    def base64(self) -> str:
        """The content as text, for JSON; empty when only the address is known."""
        return base64.b64encode(self.data).decode("ascii") if self.data is not None else ""

    @property
    def as_url(self) -> str:
        """An address that carries the content, if there is content."""
        return self.url or f"data:{self.media_type or 'image/png'};base64,{self.base64}"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        raise ValueError("the content of a data: URL is not base64") from None


def _media_type(data: bytes) -> str:
    return next((kind for magic, kind in _MEDIA_TYPES.items() if data.startswith(magic)), "image/png")


class Message(NamedTuple):
    """One turn; `content` is text, or texts and images in order.

    `thoughts` are blocks of reasoning, signed by the provider that made them, which wants them back as they were; no
    other is shown them.
    """

    role: Role
    content: str | tuple[str | Image, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    thoughts: tuple[Mapping[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """The words of this turn, pictures left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part for part in self.content if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures of this turn."""
        return () if isinstance(self.content, str) else tuple(p for p in self.content if isinstance(p, Image))

    @classmethod
    def of(cls, spec: Message | Mapping[str, Any]) -> Message:
        """A turn from ours or from OpenAI's form (`role`, `content` as text or parts, `tool_calls`, `tool_call_id`)."""
        if isinstance(spec, Message):
            return spec
        role: Any = "system" if spec.get("role") == "developer" else spec.get("role")
        if role not in _ROLES:
            raise TypeError(f"a message has a role among {', '.join(_ROLES)}, not {role!r}")
        calls, call_id = spec.get("tool_calls") or (), spec.get("tool_call_id")
        if not isinstance(calls, list | tuple):
            raise TypeError(f"the tool_calls of a message are a list, not {type(calls).__name__}")
        if not isinstance(call_id, str | None):
            raise TypeError(f"the tool_call_id of a message is text, not {type(call_id).__name__}")
        return cls(role, _content_of(spec.get("content")), tuple(map(_call_of, calls)), call_id, spec.get("name"))


def _call_of(spec: Any) -> ToolCall:
    if isinstance(spec, ToolCall):
        return spec
    function = spec.get("function", spec) if isinstance(spec, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise TypeError("a tool call has a 'function' with 'name' and 'arguments'")
    return ToolCall.read(function["name"], function.get("arguments"), spec.get("id"))


def _content_of(content: Any) -> str | tuple[str | Image, ...]:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list | tuple):
        raise TypeError(f"the content of a message is text or a list of parts, not {type(content).__name__}")
    return tuple(_part_of(part) for part in content)


def _part_of(part: Any) -> str | Image:
    if isinstance(part, str):
        return part
    if isinstance(part, Image | bytes | Path):
        return Image.of(part)
    if isinstance(part, Mapping):
        kind = part.get("type")
        if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
            return str(part["text"])
        url = part.get("image_url")
        url = url.get("url") if isinstance(url, Mapping) else url
        if kind in ("image_url", "input_image") and isinstance(url, str):
            return Image.of(url)
        raise TypeError(f"a part of type {str(kind)[:40]!r} cannot be read: give 'text', or 'image_url' with its 'url'")
    raise TypeError(f"a part of a prompt is text, an Image, bytes or a Path, not {type(part).__name__}")


Prompt = str | Sequence[Any]

STATE_PARAMS = frozenset({"cachedContent", "cached_content", "container", "conversation", "previous_response_id"})
"""Parameters that name a part of the conversation which a provider keeps; without it the question is another one."""


class Request:
    r"""One question, ready for any provider.

    `prompt` is what the caller gave: text, a list of text and images, or a list of messages. `messages` is the
    same as turns. `params` are sampling parameters by their common names (`temperature`, `max_tokens`, `stop`,
    ...) and whatever else the caller passed, forwarded as it is.

    >>> Request.of("Hello", temperature=0.2).messages[0].role
    'user'
    >>> Request.of(["What is this?", b"\x89PNG..."]).messages[0].images[0].media_type
    'image/png'
    """

    __slots__ = ("messages", "params", "prompt", "response_format", "tenant", "tool_choice", "tools", "usage_tags")

    def __init__(
        self,
        prompt: Prompt,
        messages: tuple[Message, ...],
        params: dict[str, Any],
        *,
        tools: tuple[Tool, ...] = (),
        tool_choice: Any = None,
        response_format: Any = None,
        tenant: str | None = None,
        usage_tags: tuple[str, ...] = (),
    ) -> None:
        self.prompt = prompt
        self.messages = messages
        self.params = params
        self.tools = tools
        self.tool_choice = tool_choice
        self.response_format = response_format
        self.tenant = tenant
        self.usage_tags = usage_tags

    @classmethod
    def of(cls, prompt: Prompt, **params: Any) -> Request:
        """A request from a prompt and keyword parameters; `system=` becomes the first turn."""
        messages = _messages_of(prompt)
        if not params:
            return cls(prompt, messages, params)
        system = params.pop("system", None)
        if system is not None:
            messages = (Message("system", system), *messages)
        tools = params.pop("tools", None)
        return cls(
            prompt,
            messages,
            params,
            tools=tuple(map(Tool.of, tools)) if tools else (),
            tool_choice=params.pop("tool_choice", None),
            response_format=_format_of(params.pop("response_format", None)),
            tenant=tenant_of(params.pop("tenant", None)),
            usage_tags=usage_tags_of(params.pop("usage_tags")) if "usage_tags" in params else (),
        )

    @property
    def json_schema(self) -> tuple[str, Mapping[str, Any], bool] | None:
        """Name, schema and strictness of the asked-for JSON, from any form of `response_format`.

        >>> Request.of("?", response_format={"type": "object", "properties": {}}).json_schema
        ('answer', {'type': 'object', 'properties': {}}, True)
        """
        form = self.response_format
        if hasattr(form, "model_json_schema"):  # a pydantic class
            return str(form.__name__), form.model_json_schema(), True
        if not isinstance(form, Mapping):
            return None
        if form.get("type") == "json_schema":
            inner = form.get("json_schema", form)
            return inner.get("name") or "answer", inner["schema"], bool(inner.get("strict", True))
        return None if form.get("type") in ("json_object", "text") else ("answer", form, True)

    @property
    def wants_json(self) -> bool:
        """True when the answer must be JSON, with or without a schema."""
        form = self.response_format
        plain = form == "json" or (isinstance(form, Mapping) and form.get("type") == "json_object")
        return plain or self.json_schema is not None

    @property
    def has_images(self) -> bool:
        """True when any turn shows a picture."""
        return any(message.images for message in self.messages)

    def __repr__(self) -> str:
        # the prompt is private: a request shows its shape only
        return f"<Request of {len(self.messages)} messages, {len(self.tools)} tools, {sorted(self.params)}>"


def _format_of(given: Any) -> Any:
    """The asked-for form of the answer, as it came, if it is one of those that `Request.json_schema` reads."""
    if isinstance(given, Mapping) and given.get("type") == "json_schema":
        inner = given.get("json_schema", given)
        if not isinstance(inner, Mapping) or not isinstance(inner.get("schema"), Mapping):
            raise TypeError("response_format of type 'json_schema' has a 'json_schema' with 'name' and 'schema'")
    if given in (None, "json", "text") or isinstance(given, Mapping) or hasattr(given, "model_json_schema"):
        return given
    raise TypeError(
        f"response_format={given!r:.40}: give 'json', a JSON Schema, a pydantic class, or OpenAI's mapping with 'type'"
    )


def _messages_of(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    if isinstance(prompt, Message | Mapping):
        return (Message.of(prompt),)
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes) or not prompt:
        raise TypeError(
            f"a prompt is text, a list of text and images, or a list of messages, not {type(prompt).__name__}"
            + (" without items" if isinstance(prompt, Sequence) else "")
        )
    if all(isinstance(turn, Message) or (isinstance(turn, Mapping) and "role" in turn) for turn in prompt):
        return tuple(map(Message.of, prompt))
    return (Message("user", tuple(_part_of(part) for part in prompt)),)
