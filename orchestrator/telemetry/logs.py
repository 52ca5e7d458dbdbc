"""Logs as lines of JSON, without keys, and one line for each request where that is wanted."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from orchestrator.core.passage import Passage
from orchestrator.integrations.redaction import RedactKeys
from orchestrator.telemetry import facts

if TYPE_CHECKING:
    from pydantic import SecretStr

    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["JSONFormatter", "RequestLog", "json_handler"]

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_log = logging.getLogger("orchestrator.requests")


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, whatever `extra` brings, and the current trace.

    What looks like a key, and every value in `secrets`, is `[hidden]`, in extras and tracebacks too.

    >>> record = logging.makeLogRecord({"msg": "sent sk-abc123def456", "name": "any", "levelname": "INFO", "tries": 2})
    >>> line = json.loads(JSONFormatter().format(record))
    >>> line["message"], line["level"], line["tries"]
    ('sent [hidden]', 'info', 2)
    """

    def __init__(self, secrets: Iterable[str | SecretStr] = ()) -> None:
        super().__init__()
        self._redact = RedactKeys(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact.clean(record.getMessage()),
        }
        extras = {name: value for name, value in vars(record).items() if name not in _OWN}
        line |= {name: self._plain(value) for name, value in extras.items()}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self._redact.clean(record.exc_text or self.formatException(record.exc_info))
        return json.dumps({**line, **_current_trace()}, ensure_ascii=False, allow_nan=False)

    def _plain(self, value: Any, depth: int = 0) -> Any:
        """A value that JSON can hold, cleaned; of what it cannot hold, its text."""
        if isinstance(value, str):
            return self._redact.clean(value)
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, dict) and depth < 4:
            return {self._redact.clean(str(key)): self._plain(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list | tuple) and depth < 4:
            return [self._plain(one, depth + 1) for one in value]
        return self._redact.clean(str(value))


def json_handler(stream: TextIO | None = None, *, secrets: Iterable[str | SecretStr] = ()) -> logging.Handler:
    """A handler that writes such lines to a stream, stderr if none is given."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JSONFormatter(secrets))
    return handler


class RequestLog:
    """Logs every request of a registry to `orchestrator.requests`: at INFO when it is answered, else at WARNING."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        registry.observe(self)

    def stop(self) -> None:
        """Log no more."""
        self._registry.unsubscribe(self)

    def began(self, passage: Passage) -> None:
        """Told when it ends."""

    def ended(self, passage: Passage) -> None:
        """Write the line: the facts that a span would have, without the prefix."""
        level = logging.INFO if passage.error is None else logging.WARNING
        if not _log.isEnabledFor(level):
            return
        told = facts.of_passage(passage, type(self._registry.selector).__name__)
        extra = {name.removeprefix("orchestrator.").replace(".", "_"): value for name, value in told.items()}
        extra |= {"operation": passage.operation, "streamed": passage.streamed, "duration_s": passage.duration_s}
        if passage.error is None:
            extra["response_id"] = getattr(passage.response, "id", None)
        _log.log(level, "request answered" if passage.error is None else "request failed", extra=extra)


def _current_trace() -> dict[str, str]:
    """The ids of the current span, where OpenTelemetry is in use at all."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    where = trace.get_current_span().get_span_context()
    return {"trace_id": f"{where.trace_id:032x}", "span_id": f"{where.span_id:016x}"} if where.is_valid else {}
