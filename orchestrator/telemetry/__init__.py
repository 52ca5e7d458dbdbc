"""What a registry does, told to those who watch: OpenTelemetry, Prometheus, and logs.

>>> from orchestrator import ModelRegistry, telemetry
>>> "orchestrator_decisions_total" in telemetry.prometheus_text(ModelRegistry())
True
"""

from __future__ import annotations

from orchestrator.telemetry.instrumenting import Instrumented, instrument
from orchestrator.telemetry.joining import joining
from orchestrator.telemetry.logs import JSONFormatter, RequestLog, json_handler
from orchestrator.telemetry.prometheus import CONTENT_TYPE, meter_of, prometheus_text, together

__all__ = [
    "CONTENT_TYPE",
    "Instrumented",
    "JSONFormatter",
    "RequestLog",
    "instrument",
    "joining",
    "json_handler",
    "meter_of",
    "prometheus_text",
    "together",
]
