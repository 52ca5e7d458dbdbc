"""One answer of a loaded model: from turns to tokens and back, in pieces, until it ends or nobody wants it any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from orchestrator.core.messages import FinishReason, Reply, Request
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ContextLengthError, InvalidRequestError, ServerError, StreamTruncatedError
from orchestrator.integrations.local.asking import asked_for, plain_prompt, turns
from orchestrator.integrations.local.loader import Loaded
from orchestrator.integrations.local.pieces import Pieces
from orchestrator.integrations.local.stops import StopWords

__all__ = ["generate"]


def generate(loaded: Loaded, request: Request, say: Callable[[str], None], unwanted: threading.Event) -> Reply:
    """Answer, telling each piece of text to `say`; blocks. Once `unwanted` is set it ends within a token."""
    said = turns(request)
    arguments, words = asked_for(request.params, loaded.model.generation_config.max_new_tokens)
    encoded = _encoded(loaded, said)
    prompt_tokens = int(encoded["input_ids"].shape[-1])
    _check_length(loaded, prompt_tokens, arguments)
    enough = threading.Event()
    stops = StopWords(words)
    text: list[str] = []

    def hear(piece: str) -> None:
        _pass_on(stops.feed(piece), text, say)
        if stops.found:
            enough.set()

    decode = partial(loaded.tokenizer.decode, skip_special_tokens=True)
    tokens = _run(loaded, encoded, arguments, Pieces(decode, hear), (unwanted, enough))
    _pass_on(stops.rest(), text, say)
    if unwanted.is_set():
        raise StreamTruncatedError("the model was unloaded, or the caller left, before the answer ended")
    made = tokens[prompt_tokens:]
    usage = UsageStats(prompt_tokens=prompt_tokens, completion_tokens=len(made))
    finish = _finish(loaded, made, arguments, stopped=stops.found)
    return Reply("".join(text), finish, usage)


def _pass_on(piece: str, text: list[str], say: Callable[[str], None]) -> None:
    if piece:
        text.append(piece)
        say(piece)


def _encoded(loaded: Loaded, said: list[dict[str, str]]) -> Any:
    tokenizer = loaded.tokenizer
    if tokenizer.chat_template is None:
        encoded = tokenizer(plain_prompt(said), return_tensors="pt")
        encoded.pop("token_type_ids", None)
    else:
        try:
            encoded = tokenizer.apply_chat_template(
                said, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        except Exception as fault:  # a template refuses what it does not know, such as a system turn
            roles = ", ".join(turn["role"] for turn in said)
            raise InvalidRequestError(f"the model's chat template does not take these turns: {roles}") from fault
    if not encoded["input_ids"].shape[-1]:
        raise InvalidRequestError("the prompt has no tokens: give some text")
    return encoded.to(loaded.model.device)


def _check_length(loaded: Loaded, prompt_tokens: int, arguments: dict[str, Any]) -> None:
    if loaded.window is None:
        return
    if prompt_tokens >= loaded.window:
        raise ContextLengthError(f"the prompt has {prompt_tokens} tokens and the model takes {loaded.window}: cut it")
    arguments["max_new_tokens"] = min(arguments["max_new_tokens"], loaded.window - prompt_tokens)


def _run(
    loaded: Loaded, encoded: Any, arguments: dict[str, Any], pieces: Pieces, ends: Sequence[threading.Event]
) -> list[int]:
    """All tokens, those of the prompt first."""
    import torch

    seed = arguments.pop("seed", None)
    tokenizer = loaded.tokenizer
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    try:
        if seed is not None:
            torch.manual_seed(seed)
        with torch.inference_mode():
            output = loaded.model.generate(
                **encoded, **arguments, streamer=pieces, stopping_criteria=_criteria(ends), pad_token_id=padding
            )
    except (TypeError, ValueError) as fault:
        raise InvalidRequestError(
            f"generate() refused one of the parameters {', '.join(sorted(arguments))}: see transformers' documentation"
        ) from fault
    except Exception as fault:  # a device may fail in many ways
        raise ServerError(f"the model failed while it generated: {type(fault).__name__}") from fault
    tokens: list[int] = output[0].tolist()
    return tokens


def _criteria(ends: Sequence[threading.Event]) -> Any:
    import torch
    from transformers import StoppingCriteria, StoppingCriteriaList

    class Until(StoppingCriteria):  # type: ignore[misc]  # transformers has no types here
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002 - theirs
            over = any(end.is_set() for end in ends)
            return torch.full((input_ids.shape[0],), over, dtype=torch.bool, device=input_ids.device)

    return StoppingCriteriaList([Until()])


def _finish(loaded: Loaded, made: list[int], arguments: dict[str, Any], *, stopped: bool) -> FinishReason:
    ends = loaded.model.generation_config.eos_token_id
    known = set(ends) if isinstance(ends, list) else {ends}
    if not stopped and len(made) >= arguments["max_new_tokens"] and made[-1] not in known:
        return "length"
    return "stop"
