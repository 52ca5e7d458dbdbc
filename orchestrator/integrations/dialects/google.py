"""Google Gemini, on the Gemini API and on Vertex AI: generateContent and its stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from orchestrator.core.messages import Chunk, Image, Message, Reply, Request, ToolCall
from orchestrator.core.usage import UsageStats, token_count
from orchestrator.errors import InvalidRequestError, MalformedResponseError
from orchestrator.integrations.dialects.dialect import (
    NO_CHUNKS,
    EventDialect,
    StreamReader,
    Vectors,
    as_object,
    dicts,
    part,
)
from orchestrator.integrations.dialects.finish import finish_reason
from orchestrator.integrations.dialects.listing import ListedModel, listed, plain_text, tokens
from orchestrator.integrations.dialects.vectors import floats, whole
from orchestrator.integrations.dialects.wishes import as_list, renamed, system_text, tool_wish, turns

__all__ = ["Google", "read_token_count"]

_GENERATION = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "max_output_tokens": "maxOutputTokens",
    "stop": "stopSequences",
    "stop_sequences": "stopSequences",
    "seed": "seed",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}
_ENUM = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
)  # some servers send numbers


class Google(EventDialect):
    """The dialect; `alt=sse` is asked for, so streams are server-sent events."""

    def chat_path(self, model: str, *, stream: bool) -> str:
        """Where a request goes."""
        return f"{_resource(model)}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"

    def encode(self, request: Request, model: str, *, stream: bool) -> dict[str, Any]:  # noqa: ARG002 - both are in the path
        """The body of a request."""
        body: dict[str, Any] = {"contents": _contents(request)}
        system = system_text(request)
        if system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        config = {
            _GENERATION[name]: value for name, value in renamed(request.params, {}).items() if name in _GENERATION
        }
        if "stopSequences" in config:
            config["stopSequences"] = as_list(config["stopSequences"])
        config.update(_answer_form(request))
        others = renamed({name: value for name, value in request.params.items() if name not in _GENERATION}, _OTHERS)
        if "reasoning_effort" in others:
            config["thinkingConfig"] = {"thinkingLevel": others.pop("reasoning_effort")}
        config.update(others.pop("generationConfig", {}))
        if config:
            body["generationConfig"] = config
        body.update(_tools(request))
        body.update(others)
        _without_pieces(body)
        return body

    def decode(self, body: Any) -> Reply:
        """The answer in a body; a blocked prompt is an answer without text."""
        body = as_object(body)
        candidate = _candidate(body)
        blocked = part(body, "promptFeedback").get("blockReason")
        if candidate is None and blocked is None:
            raise MalformedResponseError("the reply has no candidates")
        pieces = _pieces(candidate)
        text = "".join(_text(piece) for piece in pieces if not piece.get("thought"))
        calls = _calls(pieces)
        raw = _finish_word(candidate, blocked)
        return Reply(
            text,
            "content_filter" if candidate is None else finish_reason(_named(raw), calls=calls, text=text),
            _usage(part(body, "usageMetadata")),
            calls,
            "".join(_text(piece) for piece in pieces if piece.get("thought")),
            "",
            raw,
            body.get("modelVersion") or None,
            body,
        )

    def reader(self) -> StreamReader:
        """Reads the frames of one stream."""
        return GoogleReader()

    def embeddings_path(self, model: str) -> str:
        """Where texts go to become vectors."""
        return f"{_resource(model)}:batchEmbedContents"

    def encode_embeddings(self, texts: Sequence[str], model: str, params: dict[str, Any]) -> dict[str, Any]:
        """The body of an embeddings request."""
        options = renamed(params, {"dimensions": "outputDimensionality", "task_type": "taskType"})
        return {
            "requests": [
                {"model": _resource(model), "content": {"parts": [{"text": text}]}, **options} for text in texts
            ]
        }

    def decode_embeddings(self, body: Any) -> Vectors:
        """The vectors in a body, one or many."""
        body = as_object(body)
        entries = dicts(body.get("embeddings")) or [part(body, "embedding")]
        return Vectors(whole([floats(entry.get("values")) for entry in entries]), _usage(part(body, "usageMetadata")))

    def models_path(self, page: str | None) -> str:
        """Where the list of models is."""
        return "models?pageSize=1000" + (f"&pageToken={page}" if page else "")

    def decode_models(self, body: Any) -> tuple[list[ListedModel], str | None]:
        """The models in a body, and the mark of the next page."""
        body = as_object(body)
        page = body.get("nextPageToken")
        return listed(body.get("models"), _entry), page if isinstance(page, str) and page else None


_OTHERS = {
    "safety_settings": "safetySettings",
    "cached_content": "cachedContent",
    "generation_config": "generationConfig",
    "tool_config": "toolConfig",
}


def read_token_count(body: Any) -> int | None:
    """The number of tokens that `countTokens` found."""
    return token_count(as_object(body).get("totalTokens"))


def _resource(model: str) -> str:
    name = quote(model, safe="/-._~")
    return name if name.startswith(("models/", "tunedModels/")) else f"models/{name}"


def _contents(request: Request) -> list[dict[str, Any]]:
    """The turns; results of several tools share one turn, and each carries the name of its function."""
    names = {call.id: call.name for turn in request.messages for call in turn.tool_calls if call.id}
    contents: list[dict[str, Any]] = []
    for turn in turns(request):
        role = "model" if turn.role == "assistant" else "user"
        if turn.role != "tool":
            contents.append({"role": role, "parts": _parts(turn)})
            continue
        name = turn.name or names.get(turn.tool_call_id or "")
        if name is None:
            raise InvalidRequestError("a tool's result for Gemini needs the name of the tool, or its call before it")
        result = {"functionResponse": {"name": name, "response": {"result": turn.text}}}
        if contents and "functionResponse" in contents[-1]["parts"][-1]:
            contents[-1]["parts"].append(result)
        else:
            contents.append({"role": role, "parts": [result]})
    return contents


def _parts(turn: Message) -> list[dict[str, Any]]:
    pieces = (turn.content,) if isinstance(turn.content, str) else turn.content
    parts = [_part(piece) for piece in pieces if piece or not turn.tool_calls]
    for call in turn.tool_calls:
        arguments = call.arguments if isinstance(call.arguments, dict) else {}
        signed = {} if call.signature is None else {"thoughtSignature": call.signature}
        parts.append({"functionCall": {"name": call.name, "args": arguments}, **signed})
    return parts


def _part(piece: str | Image) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"text": piece}
    if piece.url is not None:
        return {"fileData": {"fileUri": piece.url, **({"mimeType": piece.media_type} if piece.media_type else {})}}
    return {"inlineData": {"mimeType": piece.media_type or "image/png", "data": piece.base64}}


def _answer_form(request: Request) -> dict[str, Any]:
    if not request.wants_json:
        return {}
    schema = request.json_schema
    form: dict[str, Any] = {"responseMimeType": "application/json"}
    return form if schema is None else form | {"responseJsonSchema": schema[1]}


def _tools(request: Request) -> dict[str, Any]:
    """Tools and choice."""
    if not request.tools:
        return {}
    declarations = [
        {"name": tool.name, "description": tool.description or tool.name, "parametersJsonSchema": tool.parameters}
        for tool in request.tools
    ]
    body: dict[str, Any] = {"tools": [{"functionDeclarations": declarations}]}
    wish = tool_wish(request.tool_choice)
    if wish is not None:
        config: dict[str, Any] = {"mode": _MODES[wish[0]]}
        if wish[1] is not None:
            config["allowedFunctionNames"] = [wish[1]]
        body["toolConfig"] = {"functionCallingConfig": config}
    return body


def _without_pieces(body: dict[str, Any]) -> None:
    """Take back a wish for arguments in pieces: only a whole call can be acted on."""
    config = part(part(body, "toolConfig"), "functionCallingConfig")
    if config.get("streamFunctionCallArguments"):
        whole_calls = config | {"streamFunctionCallArguments": False}
        body["toolConfig"] = body["toolConfig"] | {"functionCallingConfig": whole_calls}


def _candidate(body: dict[str, Any]) -> dict[str, Any] | None:
    candidates = dicts(body.get("candidates"))
    return next((c for c in candidates if c.get("index") in (0, None)), candidates[0] if candidates else None)


def _pieces(candidate: dict[str, Any] | None) -> list[dict[str, Any]]:
    return dicts(part(candidate, "content").get("parts"))


def _text(piece: dict[str, Any]) -> str:
    text = piece.get("text")
    return text if isinstance(text, str) else ""


def _calls(pieces: list[dict[str, Any]]) -> tuple[ToolCall, ...]:
    found = [(part(piece, "functionCall"), piece.get("thoughtSignature")) for piece in pieces]
    return tuple(
        ToolCall.read(str(call["name"]), call.get("args"), call.get("id"))._replace(signature=signature)
        for call, signature in found
        if call.get("name")
    )


def _finish_word(candidate: dict[str, Any] | None, blocked: Any) -> str | None:
    raw = blocked if candidate is None else candidate.get("finishReason")
    return None if raw is None else str(raw)


def _named(raw: str | None) -> str | None:
    """The word for a reason that came as the number of its enum."""
    return _ENUM[int(raw)] if raw is not None and raw.isdecimal() and int(raw) < len(_ENUM) else raw


def _usage(usage: Mapping[str, Any]) -> UsageStats:
    """Thoughts are counted beside the visible tokens, and billed like them; so are tool results beside the prompt."""
    prompt, visible, thoughts, tools = (
        token_count(usage.get(key))
        for key in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
    )
    return UsageStats(
        None if prompt is None else prompt + (tools or 0),
        (visible or 0) + (thoughts or 0) if (visible, thoughts) != (None, None) else None,
        cache_read_tokens=usage.get("cachedContentTokenCount"),
        reasoning_tokens=thoughts,
    )


def _entry(entry: dict[str, Any]) -> ListedModel | None:
    name, methods = entry.get("name"), entry.get("supportedGenerationMethods")
    if not isinstance(name, str):
        return None
    able = methods if isinstance(methods, list) else ()
    named = (("text_generation", "generateContent" in able), ("embeddings", "embedContent" in able))
    return ListedModel(
        name.removeprefix("models/"),
        context_window=tokens(entry.get("inputTokenLimit")),
        max_output_tokens=tokens(entry.get("outputTokenLimit")),
        capabilities=frozenset(
            feature for feature, has in (*named, ("reasoning", entry.get("thinking") is True)) if has
        ),
        lacks=frozenset(feature for feature, has in named if able and not has),
        display_name=plain_text(entry.get("displayName")),
    )


class GoogleReader(StreamReader):
    """Puts partial replies together; usage repeats and grows, so the last one counts."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[ToolCall] = []
        self._blocked = False

    def take(self, event: dict[str, Any]) -> Sequence[Chunk]:
        """The pieces of the answer in one event."""
        if event.get("error"):
            raise self.failed(event)
        self.upstream_model = event.get("modelVersion") or self.upstream_model
        if "usageMetadata" in event:
            self.usage = _usage(part(event, "usageMetadata"))
        candidate, blocked = _candidate(event), part(event, "promptFeedback").get("blockReason")
        raw = _finish_word(candidate, blocked)
        if raw is not None:
            self.raw_finish, self.ended, self._blocked = raw, True, candidate is None
        return self._speak(_pieces(candidate))

    def _speak(self, pieces: list[dict[str, Any]]) -> Sequence[Chunk]:
        self._calls += _calls(pieces)
        chunks: list[Chunk] = []
        for piece in pieces:
            text = _text(piece)
            chunks += self.say(reasoning=text) if piece.get("thought") else self.say(text)
        return chunks or NO_CHUNKS

    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the whole answer."""
        return tuple(self._calls)

    def finish(self) -> Chunk:
        """The closing chunk, with enum numbers understood and blocked prompts named."""
        last = super().finish()
        reason = finish_reason(_named(self.raw_finish), calls=last.tool_calls, text=self.text)
        return last._replace(finish_reason="content_filter" if self._blocked else reason)
