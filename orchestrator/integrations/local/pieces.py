"""From tokens to text as they are made: each piece is whole characters, as early as they are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Pieces"]

_HALF = "\ufffd"  # what a decoder shows for a character whose other bytes are still to come


class Pieces:
    """What `generate` calls a streamer: hears tokens by `put`, those of the prompt first, and tells text to `hear`.

    A token's text may depend on the ones before it, so each piece is the difference of two decodings that begin at a
    token which has been told already; the cost of a token does not grow with the answer.

    >>> told = []
    >>> pieces = Pieces(lambda tokens: "".join("Hey you"[number] for number in tokens), told.append)
    >>> for token in ([9, 9], [0], [1], [2]):
    ...     pieces.put(token)
    >>> pieces.end()
    >>> told
    ['H', 'e', 'y']
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], hear: Callable[[str], None]) -> None:
        self._decode, self._hear = decode, hear
        self._tokens: list[int] = []
        self._from, self._told = 0, 0  # where decoding begins, and up to where the text has been told
        self._prompt_seen = False

    def put(self, tokens: Any) -> None:
        """More tokens: a tensor or a list, of one answer."""
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        self._tokens += tokens.flatten().tolist() if hasattr(tokens, "flatten") else tokens
        self._tell(whole=False)

    def end(self) -> None:
        """No more comes."""
        self._tell(whole=True)

    def _tell(self, *, whole: bool) -> None:
        before = self._decode(self._tokens[self._from : self._told])
        now = self._decode(self._tokens[self._from :])
        if len(now) > len(before) and (whole or not now.endswith(_HALF)):
            self._from, self._told = self._told, len(self._tokens)
            self._hear(now[len(before) :])
