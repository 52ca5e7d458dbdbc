"""What a policy is told of a request: its category, and numbers that describe its prompt."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from orchestrator.core.clock import Clock
from orchestrator.core.messages import Request
from orchestrator.selectors.context import Context, category_of, context_of, features_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Categorise", "Contexts", "Embed", "prompt_text"]

Categorise = Callable[[str], str | None]
Embed = Callable[[str], Awaitable[Sequence[float]]]

_DEADLINE_S = 2.0  # a request does not wait longer to be described
_MOST_KEPT = 1_024  # prompts whose features are remembered
_DIMENSIONS = 32  # that an embedding is brought down to: a rank-one step costs their square
_SEED = 20_260_101  # of the projection, the same in every process, so that what was learnt can be shared
_log = logging.getLogger(__name__)


def prompt_text(request: Request) -> str:
    """The words that a request is judged by: those of its last turn by the user, pictures left out.

    >>> prompt_text(Request.of([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]))
    'Hi'
    """
    if isinstance(request.prompt, str):
        return request.prompt
    return next((turn.text for turn in reversed(request.messages) if turn.role == "user"), "")


class Contexts:
    """Describes requests; `categorise` takes the place of the built-in categories, `embed` that of the features.

    Embeddings have to be awaited, so they are computed before the decision (`prepare`), remembered by prompt, and
    brought down to 32 numbers by a random projection, which keeps distances (Johnson and Lindenstrauss 1984). Where one
    does not come within two seconds, the request is described by its category alone.

    >>> Contexts().of(Request.of("What is 3 + 4?")).category
    'maths'
    """

    def __init__(
        self, *, categorise: Categorise | None = None, embed: Embed | None = None, clock: Clock | None = None
    ) -> None:
        self._categorise = categorise
        self._embed = embed
        self._clock = clock
        self._features: OrderedDict[str, tuple[float, ...]] = OrderedDict()
        self._axes: np.ndarray | None = None
        self._complained: set[str] = set()

    @property
    def awaits(self) -> bool:
        """True where `prepare` has work to do."""
        return self._embed is not None

    def of(self, request: Request, *, features: bool = True) -> Context:
        """What is known of this request by now; without `features` its category alone, in less time; never raises."""
        text = prompt_text(request)
        return self.of_text(text) if features else Context(self._category(text))

    def of_text(self, text: str) -> Context:
        """The same of a prompt's words."""
        if self._categorise is None and self._embed is None:
            return context_of(text)
        return Context(self._category(text), features_of(text) if self._embed is None else self._features.get(text))

    def _category(self, text: str) -> str | None:
        try:
            return _true_category((self._categorise or category_of)(text))
        except Exception as error:  # noqa: BLE001 - the boundary: a function of the user's may raise anything
            self._complain("the category function", error)
            return None

    async def prepare(self, request: Request) -> None:
        """Have the prompt's embedding at hand, unless it takes too long or fails."""
        text = prompt_text(request)
        if self._embed is None or not text:
            return
        if text in self._features:
            self._features.move_to_end(text)
            return
        assert self._clock is not None
        try:
            with self._clock.timeout(_DEADLINE_S):
                vector = await self._embed(text)
            self._features[text] = self._projected(vector)
        except Exception as error:  # noqa: BLE001 - the boundary: the request goes on without
            self._complain("the embedding", error)
        if len(self._features) > _MOST_KEPT:
            self._features.popitem(last=False)

    def _projected(self, vector: Sequence[float]) -> tuple[float, ...]:
        """The direction of an embedding in 32 numbers at most."""
        import numpy as np

        numbers = np.asarray(vector, dtype=np.float64)
        length = float(np.linalg.norm(numbers)) if numbers.ndim == 1 else math.nan
        if not 0 < length < math.inf:
            raise ValueError("an embedding is a row of numbers that are not all 0")
        if len(numbers) > _DIMENSIONS:
            if self._axes is None or self._axes.shape[1] != len(numbers):
                draws = np.random.default_rng(_SEED).standard_normal((_DIMENSIONS, len(numbers)))
                self._axes = draws / math.sqrt(_DIMENSIONS)
            numbers = self._axes @ numbers
        return tuple((numbers / length).tolist())

    def _complain(self, what: str, error: Exception) -> None:
        """Once for each kind of fault; the words of a foreign error may hold the prompt."""
        kind = f"{what} {type(error).__name__}"
        if kind not in self._complained:
            self._complained.add(kind)
            _log.warning("%s failed with %s: requests are described without it", what, type(error).__name__)


def _true_category(said: object) -> str | None:
    """What was said, if results can be kept by it: in memory, as JSON and by other processes."""
    if said is None or isinstance(said, str):
        return said
    raise TypeError(f"a category is a str or None, not {type(said).__name__}")
