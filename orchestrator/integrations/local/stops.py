"""Stop strings over text that comes in pieces: nothing of a stop string is ever shown, however it is cut."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["StopWords", "stop_words"]


class StopWords:
    """Passes text on up to the stop string that is complete first; `found` tells that it came.

    >>> words = StopWords(["END"])
    >>> [words.feed(piece) for piece in ("two E", "ggs, E", "ND of it")], words.found
    (['two ', 'Eggs, ', ''], True)
    """

    def __init__(self, words: Sequence[str] = ()) -> None:
        self._words = tuple(filter(None, words))
        self._held = ""  # the beginning of what may become a stop string
        self.found = False

    def feed(self, piece: str) -> str:
        """What of the text so far may be shown now."""
        if self.found:
            return ""
        if not self._words:
            return piece
        text = self._held + piece
        found = [(at + len(word), at) for word in self._words if (at := text.find(word)) >= 0]
        if found:
            self.found, self._held = True, ""
            return text[: min(found)[1]]
        cut = len(text) - max(_overlap(text, word) for word in self._words)
        self._held = text[cut:]
        return text[:cut]

    def rest(self) -> str:
        """What was held back when no more comes."""
        rest, self._held = self._held, ""
        return rest


def stop_words(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    """The parameter `stop` in its forms: one string, several, or none."""
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _overlap(text: str, word: str) -> int:
    """How many characters at the end of the text could begin the word."""
    most = min(len(text), len(word) - 1)
    return next((size for size in range(most, 0, -1) if text.endswith(word[:size])), 0)
