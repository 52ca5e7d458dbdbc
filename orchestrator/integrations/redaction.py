"""Keys out of logs: a net under everything that writes them, ours or not."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterable

from pydantic import SecretStr

from orchestrator.integrations.complaints import without_keys

__all__ = ["RedactKeys"]

_SHORTEST = 8  # shorter values are words, and words are everywhere
_ENDINGS = ("_API_KEY", "_API_KEYS", "_API_TOKEN", "_ACCESS_TOKEN", "_SECRET")


class RedactKeys(logging.Filter):
    """Replaces what looks like a key, and every given or configured one, in messages and tracebacks by `[hidden]`.

    The engine itself logs none. Put it on handlers, so that it also sees what other libraries log; variables such as
    `..._API_KEY` are read when it is made.

    >>> record = logging.LogRecord("any", logging.INFO, "", 0, "sent %s", ("Bearer sk-abc123def456",), None)
    >>> RedactKeys().filter(record), record.getMessage()
    (True, 'sent [hidden]')
    """

    def __init__(self, secrets: Iterable[str | SecretStr] = ()) -> None:
        super().__init__()
        given = [one.get_secret_value() if isinstance(one, SecretStr) else one for one in secrets]
        configured = [
            part.strip() for name in os.environ if name.endswith(_ENDINGS) for part in os.environ[name].split(",")
        ]
        self._secrets = sorted({one for one in (*given, *configured) if len(one) >= _SHORTEST}, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"<RedactKeys of {len(self._secrets)} secrets>"

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record; it is always kept."""
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 - a caller's faulty arguments: his handler reports them
            return True
        clean = self.clean(said)
        if clean != said:
            record.msg, record.args = clean, None
        if record.exc_info and record.exc_info[0] is not None:
            trace = record.exc_text or "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.exc_text = self.clean(trace)
        return True

    def clean(self, text: str) -> str:
        """The text without what looks like a key, and without every known one."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return without_keys(text)
