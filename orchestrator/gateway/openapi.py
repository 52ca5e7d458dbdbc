"""The gateway in OpenAPI 3.1: what every path takes and gives, for tools and for the reference in the docs."""

from __future__ import annotations

from typing import Any

from orchestrator.core.requirements import REQUIREMENT_NAMES
from orchestrator.gateway.asking import CALL_OPTIONS, EXTENSION
from orchestrator.gateway.dialects.openai_parameters import MOST_CHOICES

__all__ = ["document"]

_STATUSES = {
    "400": "the request is wrong, or no model meets its requirements",
    "401": "the key is missing or not known",
    "403": "the key may not do this",
    "404": "no such model",
    "405": "the path is asked by another method; see Allow",
    "408": "the body did not arrive in time",
    "413": "the body is too large",
    "429": "a limit or a budget is used up; see Retry-After",
    "500": "the gateway failed on this request",
    "502": "every model that was tried failed",
    "503": "the models are overloaded, or this gateway is closing",
    "504": "no model answered within the deadline",
}
_TEXT = {"type": "string", "minLength": 1}
_ANY: dict[str, Any] = {}


def document(version: str) -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "orchestrator gateway", "version": version},
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
        "security": [{"bearer": []}, {"apiKey": []}, {}],
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/chat/completions": _post("Chat, as OpenAI's clients speak it", "ChatRequest", streams=True),
        "/v1/responses": _post("Responses, as OpenAI's clients speak them", "ResponsesRequest", streams=True),
        "/v1/completions": _post(
            "Completions, the form before chat: one prompt or several", "CompletionsRequest", streams=True
        ),
        "/v1/messages": _post("Messages, as Anthropic's clients speak them", "MessagesRequest", streams=True),
        "/v1/messages/count_tokens": _post("The tokens of a message before it is sent", "CountRequest"),
        "/v1/embeddings": _post("One vector a text", "EmbeddingsRequest"),
        "/v1/feedback": _post("Rate an answer, so that the engine learns from it", "Feedback"),
        "/v1/models": _get("Every name that may be asked as a model"),
        "/v1/models/{model}": _get("One of them", parameter="model"),
        "/healthz": _get("Does the process run?", open_to_all=True),
        "/readyz": _get("Should a balancer send calls here?", open_to_all=True),
        "/metrics": _get("The figures, as Prometheus reads them", kind="text/plain"),
        "/dashboard/snapshot": _get("What the dashboard shows, at this moment"),
        "/dashboard/actions": _post("Drain, restore, probe or reset a model; for admin keys", "Action"),
        "/openapi.json": _get("This document", open_to_all=True),
    }


def _post(summary: str, schema: str, *, streams: bool = False) -> dict[str, Any]:
    kinds = {"application/json": {"schema": {"type": "object"}}}
    if streams:
        kinds["text/event-stream"] = {"schema": {"type": "string"}}
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
    answer = {"description": "the answer", "content": kinds, **({"headers": _headers()} if streams else {})}
    return {"post": {"summary": summary, "requestBody": body, "responses": {"200": answer, **_failures()}}}


def _get(
    summary: str, *, parameter: str | None = None, open_to_all: bool = False, kind: str = "application/json"
) -> dict[str, Any]:
    schema = {"type": "object" if kind == "application/json" else "string"}
    answer = {"description": "the answer", "content": {kind: {"schema": schema}}}
    found: dict[str, Any] = {"summary": summary, "responses": {"200": answer, **_failures()}}
    if parameter is not None:
        found["parameters"] = [{"name": parameter, "in": "path", "required": True, "schema": _TEXT}]
    if open_to_all:
        found["security"] = []
    return {"get": found}


def _failures() -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": text, "content": error} for status, text in _STATUSES.items()}


def _headers() -> dict[str, Any]:
    told = {
        "X-Orchestrator-Response-Id": "the id to rate the answer by",
        "X-Orchestrator-Model": "who answered",
        "X-Orchestrator-Reason": "why this model",
        "X-Orchestrator-Attempts": "how often models were asked",
        "X-Orchestrator-Cost-Usd": "what it cost; absent when a price is unknown",
        "X-Orchestrator-Cache": "the cache level that answered, if one did",
        "X-Orchestrator-Overhead-Ms": "the gateway's own share of the time",
    }
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in told.items()}


def _schemas() -> dict[str, Any]:
    model = {**_TEXT, "description": "the id of a model, a profile's name, or 'auto'"}
    turns = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Turn"}}
    shared = {
        "model": model,
        "stream": {"type": "boolean"},
        "temperature": {"type": "number"},
        "top_p": {"type": "number"},
        EXTENSION: {"$ref": "#/components/schemas/Engine"},
    }
    choices, tokens = {"type": "integer", "minimum": 1, "maximum": MOST_CHOICES}, {"type": "integer", "minimum": 1}
    return {
        "Action": _object({"action": {"enum": ["drain", "restore", "probe", "reset"]}, "model": _TEXT}),
        "Engine": _engine(),
        "Error": {"type": "object", "properties": {"error": {"type": "object"}}, "required": ["error"]},
        "Turn": _object({"role": {"enum": ["system", "user", "assistant"]}, "content": {"type": "string"}}),
        "ChatRequest": _object({**shared, "messages": turns, "n": choices, "max_tokens": tokens}, "model", "messages"),
        "CompletionsRequest": _object(
            {**shared, "prompt": _texts(), "n": choices, "max_tokens": tokens, "echo": {"type": "boolean"}},
            "model",
            "prompt",
        ),
        "MessagesRequest": _object(
            {**shared, "messages": turns, "max_tokens": tokens, "thinking": _thinking()},
            "model",
            "messages",
            "max_tokens",
        ),
        "CountRequest": _object({"model": model, "messages": turns}, "model", "messages"),
        "ResponsesRequest": _object({**shared, "input": _TEXT}, "model", "input"),
        "EmbeddingsRequest": _object({"model": model, "input": _texts()}, "model", "input"),
        "Feedback": _object(
            {"response_id": _TEXT, "quality": {"type": "number", "minimum": 0, "maximum": 1}}, "response_id", "quality"
        ),
    }


def _engine() -> dict[str, Any]:
    """What may be said to the engine itself; every member may also be a header, X-Orchestrator-Max-Cost and so on."""
    members = dict.fromkeys((*REQUIREMENT_NAMES, *CALL_OPTIONS, "objective", "tenant"), _ANY)
    return {"type": "object", "properties": members, "additionalProperties": False}


def _thinking() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"enum": ["enabled", "adaptive", "disabled"]}, "budget_tokens": {"type": "integer"}},
        "required": ["type"],
        "description": "how much to think; models of others than Anthropic are told an effort",
    }


def _texts() -> dict[str, Any]:
    return {"oneOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]}


def _object(properties: dict[str, Any], *needed: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(needed or properties)}
