"""OpenAI's completions, the form before chat (api reference: /v1/completions): a prompt is asked as a user's turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.core.usage import UsageStats
from orchestrator.gateway.answering import total_usage
from orchestrator.gateway.asking import EXTENSION, Asked
from orchestrator.gateway.dialects import openai_chat
from orchestrator.gateway.dialects.completions_logprobs import Likelihoods
from orchestrator.gateway.dialects.openai_parameters import COMPLETIONS, MOST_CHOICES, passed_on, read_options
from orchestrator.gateway.frames import DONE, event
from orchestrator.gateway.members import MODEL, checked, count, required, texts_in
from orchestrator.gateway.refusals import Refusal, RefusedError

__all__ = ["ID", "error", "read", "reply", "writer"]

error = openai_chat.error
ID = "cmpl-"
_MOST_ANSWERS = 64  # of all prompts together
_MOST_LIKELIHOODS = 5
_FINISH = {"tool_calls": "stop"}
_OWN = frozenset({"prompt", "suffix", "echo", "best_of", "logprobs"})


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked; `suffix`, for text in the middle of other text, and prompts as tokens are refused."""
    checked(body, COMPLETIONS)
    prompts = texts_in(body, "prompt")
    each = count(body, "n", default=1, most=MOST_CHOICES)
    _refuse_what_is_not_served(body, each)
    if (answers := each * len(prompts)) > _MOST_ANSWERS:
        why = f"{len(prompts)} prompts with n={each} are {answers} answers: ask for up to {_MOST_ANSWERS} at a time"
        raise RefusedError(400, "invalid_request", why, param="prompt")
    return Asked(
        model=required(body, "model", str, words=MODEL),
        prompt=prompts[0],
        params=passed_on(body, but=_OWN) | _likelihoods_wish(body),
        stream=bool(body.get("stream")),
        choices=answers,
        with_usage=read_options(body.get("stream_options")),
        prompts=tuple(prompts),
        echo=bool(body.get("echo")),
    )


def _refuse_what_is_not_served(body: Mapping[str, Any], each: int) -> None:
    echoes, tells = bool(body.get("echo")), body.get("logprobs") is not None
    for name, is_asked, why in (
        ("suffix", bool(body.get("suffix")), "text that goes on after the answer is not served: leave 'suffix' out"),
        ("best_of", (body.get("best_of") or 1) > each, "the best is not picked here: leave 'best_of' out, and ask 'n'"),
        ("logprobs", echoes and tells, "an echoed prompt has no likelihoods: leave 'echo' or 'logprobs' out"),
    ):
        if is_asked:
            raise RefusedError(400, "invalid_request", why, param=name)


def _likelihoods_wish(body: Mapping[str, Any]) -> dict[str, Any]:
    """How likely each token was and, of so many others in its place, how likely these."""
    most = body.get("logprobs")
    if most is None:
        return {}
    if not 0 <= most <= _MOST_LIKELIHOODS:
        why = f"logprobs={most!r}: give a whole number from 0 to {_MOST_LIKELIHOODS}"
        raise RefusedError(400, "invalid_request", why, param="logprobs")
    others = {"top_logprobs": int(most)} if most else {}
    return {"logprobs": True, **others, "cache": False}  # a remembered answer has none


def reply(asked: Asked, answers: Sequence[ChatResponse], created_s: int) -> dict[str, Any]:
    """A completion with one choice an answer."""
    return {
        "id": answers[0].id,
        "object": "text_completion",
        "created": created_s,
        "model": answers[0].model_id,
        "choices": [_whole(asked, number, answer) for number, answer in enumerate(answers)],
        "usage": openai_chat.usage_of(total_usage(answers)),
    }


def _whole(asked: Asked, number: int, answer: ChatResponse) -> dict[str, Any]:
    likelihoods = Likelihoods().more(openai_chat.logprobs_of(answer.raw))
    text = _echo(asked, number) + (answer.text or answer.refusal)
    return _choice(number, text, likelihoods, _finish(answer.finish_reason))


def _choice(number: int, text: str, logprobs: Any, finish: str | None) -> dict[str, Any]:
    return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": finish}


def _echo(asked: Asked, number: int) -> str:
    return str(asked.prompt_of(number)) if asked.echo else ""


def _finish(reason: str) -> str:
    return _FINISH.get(reason, openai_chat.finish_of(reason))


class _Writer:
    """Chunks as server-sent events; an echoed prompt opens each choice, usage comes last if it was asked for."""

    def __init__(self, asked: Asked, answer_id: str, created_s: int) -> None:
        self._asked = asked
        self._head = {"id": answer_id, "object": "text_completion", "created": created_s}
        self._model: str | None = None
        self._likelihoods: dict[int, Likelihoods] = {}  # of every choice that has begun
        self._usage = UsageStats()

    def piece(self, choice: int, chunk: Chunk) -> bytes:
        """The frame for one piece."""
        self._model = chunk.model_id or self._model
        text, likelihoods = chunk.text or chunk.refusal, self._likelihoods.get(choice)
        if likelihoods is None:
            text = _echo(self._asked, choice) + text
            likelihoods = self._likelihoods[choice] = Likelihoods()
        told = likelihoods.more(chunk.logprobs)
        spoken = self._frame(_choice(choice, text, told, None)) if text or told else b""
        if chunk.finish_reason is None:
            return spoken
        if chunk.usage is not None:
            self._usage += chunk.usage
        return spoken + self._frame(_choice(choice, "", None, _finish(chunk.finish_reason)))

    def _frame(self, *choices: dict[str, Any], **more: Any) -> bytes:
        return event({**self._head, "model": self._model, "choices": choices, **more})

    def end(self, facts: Mapping[str, Any]) -> bytes:
        """Usage, if it was asked for, with the facts; and the end marker."""
        if not self._asked.with_usage:
            return DONE
        return self._frame(usage=openai_chat.usage_of(self._usage), **{EXTENSION: facts}) + DONE

    def error(self, refusal: Refusal) -> bytes:
        """The failure as an event of its own; no end marker follows, for this is no end."""
        return event(error(refusal))


def writer(asked: Asked, answer_id: str, created_s: int) -> _Writer:
    """The answer in pieces."""
    return _Writer(asked, answer_id, created_s)
