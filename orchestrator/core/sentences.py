"""What each class of failure costs a model or a key: out at once or after some more, and for how long."""

from __future__ import annotations

from orchestrator.core.circuit import STRIKE, Sentence
from orchestrator.errors import ProviderAPIError

__all__ = ["reason_of", "sentence_of"]

_LIGHT = Sentence(most_s=60.0)  # full is not broken: it is asked again every minute at the latest
_SENTENCES = {
    "overloaded": _LIGHT,
    "not_found": Sentence(at_once=True, first_s=300.0, most_s=3600.0),
    "permission": Sentence(at_once=True, first_s=300.0, most_s=3600.0),
    "authentication": Sentence(at_once=True, first_s=60.0, most_s=3600.0),
    "quota": Sentence(at_once=True, first_s=300.0, most_s=3600.0),
}


def sentence_of(error: ProviderAPIError) -> Sentence:
    """How an error of this class is punished.

    >>> from orchestrator.errors import QuotaError, ServerError
    >>> sentence_of(QuotaError("no credit")).first_s, sentence_of(ServerError("x")) is STRIKE
    (300.0, True)
    """
    return _SENTENCES.get(error.error_type, STRIKE)


def reason_of(error: ProviderAPIError) -> str:
    """The class and the status, of what has no class its type; the text may repeat what was asked, and stays there.

    >>> from orchestrator.errors import ServerError
    >>> stray = ProviderAPIError("'a' failed with KeyError")
    >>> stray.__cause__ = KeyError("a prompt")
    >>> reason_of(ServerError("x", status=500)), reason_of(stray)
    ('server (HTTP 500)', 'unknown (KeyError)')
    """
    if error.error_type == "unknown" and error.__cause__ is not None:
        return f"unknown ({type(error.__cause__).__name__})"
    return error.error_type + (f" (HTTP {error.status})" if error.status else "")
