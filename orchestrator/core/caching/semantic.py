"""Answers to questions that mean the same: off until asked for, because two prompts that look alike may not be."""

from __future__ import annotations

import inspect
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator.core.caching.figures import LevelStatistics
from orchestrator.core.caching.keys import Answerer, key_of
from orchestrator.core.caching.settings import amount, count
from orchestrator.core.messages import ChatResponse, Message, Request

__all__ = ["Meaning", "SemanticIndex"]

Embed = Callable[[str], Awaitable[Sequence[float]]]
Verify = Callable[[str, str, ChatResponse], bool | Awaitable[bool]]
_MOST_SCOPES = 1024


class Meaning(NamedTuple):
    """A question apart from its wording: everything else about it (`scope`), its last words and their direction."""

    scope: str
    text: str
    direction: Any


@dataclass(slots=True)
class _Scope:
    """Questions that differ in their last words only, in order of use."""

    directions: list[Any] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    matrix: Any = None


class SemanticIndex:
    """Finds the nearest question that was answered: same tenant, model, system, tools and parameters, other words.

    `embed` turns text into a vector, `threshold` is the least cosine similarity, and `verify(asked, found, answer)`
    has the last word. With `trial=True` nothing is served: every near question is still asked, and `agreed` and
    `disagreed` count how often the answer at hand would have been the same. Try it on your traffic before serving.
    """

    name = "semantic"

    def __init__(
        self,
        embed: Embed,
        *,
        threshold: float = 0.97,
        verify: Verify | None = None,
        max_size: int = 1_000,
        trial: bool = False,
    ) -> None:
        self.trial = trial
        self.agreed = self.disagreed = self.hits = self.rejected = 0
        self._embed, self._verify = embed, verify
        self._threshold = amount("threshold", threshold, most=1.0)
        self._max_size = count("max_size", max_size, least=1, most=10**6)
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()

    async def meaning(self, model: Answerer | None, request: Request) -> Meaning | None:
        """What a request means, if its last turn is the user's and plain text, and the embedder is up."""
        last = request.messages[-1]
        if last.role != "user" or not isinstance(last.content, str):
            return None
        scope = key_of(model, _without_last_words(request))
        if scope is None:
            return None
        try:
            direction = _direction(await self._embed(last.content))
        except Exception:  # noqa: BLE001 - the boundary: an embedder that is down is a miss
            return None
        return None if direction is None else Meaning(scope, last.content, direction)

    def nearest(self, meaning: Meaning) -> tuple[str, str] | None:
        """Key and words of the nearest question within the threshold."""
        scope = self._scopes.get(meaning.scope)
        if scope is None or not scope.keys or len(scope.directions[0]) != len(meaning.direction):
            return None
        import numpy as np

        if scope.matrix is None:
            scope.matrix = np.stack(scope.directions)
        similarity = scope.matrix @ meaning.direction
        best = int(similarity.argmax())
        return (scope.keys[best], scope.texts[best]) if similarity[best] >= self._threshold else None

    async def approves(self, meaning: Meaning, found: str, response: ChatResponse) -> bool:
        """True when no verifier objects to this answer."""
        if self._verify is None:
            return True
        verdict = self._verify(meaning.text, found, response)
        approved = bool(await verdict if inspect.isawaitable(verdict) else verdict)
        self.rejected += not approved
        return approved

    def learn(self, meaning: Meaning, key: str) -> None:
        """Remember that this question has an answer under this key; the oldest of its scope goes."""
        scope = self._scopes.setdefault(meaning.scope, _Scope())
        self._scopes.move_to_end(meaning.scope)
        if len(self._scopes) > _MOST_SCOPES:
            self._scopes.popitem(last=False)
        if key in scope.keys:
            return
        scope.directions.append(meaning.direction)
        scope.texts.append(meaning.text)
        scope.keys.append(key)
        scope.matrix = None
        if len(scope.keys) > self._max_size:
            del scope.directions[0], scope.texts[0], scope.keys[0]

    def clear(self) -> None:
        """Forget every question."""
        self._scopes.clear()

    def figures(self) -> LevelStatistics:
        """Hits, answers the verifier rejected (as misses), and questions held."""
        entries = sum(len(scope.keys) for scope in self._scopes.values())
        return LevelStatistics(hits=self.hits, misses=self.rejected, entries=entries)

    def compare(self, at_hand: ChatResponse, bought: ChatResponse) -> None:
        """Count, in a trial, whether the answer at hand would have been the right one."""
        same = at_hand.text.split() == bought.text.split() and at_hand.tool_calls == bought.tool_calls
        self.agreed += same
        self.disagreed += not same


def _without_last_words(request: Request) -> Request:
    return Request(
        "",
        (*request.messages[:-1], Message("user", "")),
        request.params,
        tools=request.tools,
        tool_choice=request.tool_choice,
        response_format=request.response_format,
        tenant=request.tenant,
    )


def _direction(vector: Sequence[float]) -> Any:
    """The vector at length one, or None for one without direction."""
    import numpy as np

    array = np.asarray(vector, dtype=np.float32)
    length = float(np.linalg.norm(array))
    return array / length if array.ndim == 1 and math.isfinite(length) and length > 0 else None
