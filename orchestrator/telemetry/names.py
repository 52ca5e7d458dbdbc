"""The names, units and buckets of everything that is told: OpenTelemetry's GenAI conventions, and our own beside them.

The conventions are in development and live in a repository of their own (open-telemetry/semantic-conventions-genai), so
the names stand here as plain strings. Whatever is not theirs begins with `orchestrator.`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = [
    "CALL_DURATION",
    "CALL_FIRST_CHUNK",
    "CALL_OUTPUT_CHUNK",
    "CALL_TOKENS",
    "COST",
    "COUNTED",
    "DECISIONS",
    "ERROR_TYPE",
    "FAILOVERS",
    "GAUGES",
    "HEALTH_CHANGES",
    "HITS",
    "IN_FLIGHT",
    "MODEL",
    "OVERHEAD",
    "PROVIDERS",
    "REFUSED",
    "REQUEST_DURATION",
    "SAVED",
    "SERVED_DURATION",
    "SERVED_FIRST_TOKEN",
    "SERVED_OUTPUT_TOKEN",
    "UP",
    "Metric",
]

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**power) for power in range(14))
_GAPS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

MODEL = "orchestrator.model"  # the id in the registry, where the conventions' name is the provider's
ERROR_TYPE = "error.type"

PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Our names of providers whose name in the conventions is another."""


class Metric(NamedTuple):
    """One metric: how it is called, what it is measured in and, of a histogram, where its buckets end."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    about: str
    bounds: tuple[float, ...] = ()

    @property
    def exposed(self) -> str:
        """The name that Prometheus knows it by, as OpenTelemetry's own exporters translate it.

        >>> CALL_DURATION.exposed, CALL_TOKENS.exposed, DECISIONS.exposed
        ('gen_ai_client_operation_duration_seconds', 'gen_ai_client_token_usage', 'orchestrator_decisions_total')
        """
        name = self.name.replace(".", "_") + ("_seconds" if self.unit == "s" else "")
        return f"{name}_total" if self.kind == "counter" else name


CALL_DURATION = Metric("gen_ai.client.operation.duration", "histogram", "s", "Time of one call to a provider", _SECONDS)
CALL_TOKENS = Metric("gen_ai.client.token.usage", "histogram", "{token}", "Tokens of one call, as billed", _TOKENS)
CALL_FIRST_CHUNK = Metric(
    "gen_ai.client.operation.time_to_first_chunk", "histogram", "s", "Time to the first piece of a stream", _SECONDS
)
CALL_OUTPUT_CHUNK = Metric(
    "gen_ai.client.operation.time_per_output_chunk", "histogram", "s", "Time between pieces of a stream", _GAPS
)
SERVED_DURATION = Metric(
    "gen_ai.server.request.duration",
    "histogram",
    "s",
    "Time of one client, to the last word",
    _SECONDS,
)
SERVED_FIRST_TOKEN = Metric(
    "gen_ai.server.time_to_first_token", "histogram", "s", "Time to the first piece of a client's stream", _FIRST
)
SERVED_OUTPUT_TOKEN = Metric(
    "gen_ai.server.time_per_output_token",
    "histogram",
    "s",
    "Time per token of a client's stream",
    _GAPS,
)
REQUEST_DURATION = Metric(
    "orchestrator.request.duration", "histogram", "s", "Time of one request, all attempts included", _SECONDS
)
OVERHEAD = Metric(
    "orchestrator.overhead.duration", "histogram", "s", "Time of a request in which no provider was at work", _OVERHEAD
)
DECISIONS = Metric("orchestrator.decisions", "counter", "{decision}", "Choices of a model by the selector")
FAILOVERS = Metric("orchestrator.failovers", "counter", "{failover}", "Failures after which another model was asked")
HEALTH_CHANGES = Metric("orchestrator.health.changes", "counter", "{change}", "Changes of a model's health, by status")
HITS = Metric("orchestrator.cache.hits", "counter", "{hit}", "Requests that a cache answered, by level")
COST = Metric("orchestrator.cost.usd", "counter", "{USD}", "What calls have cost, as far as prices are known")
REFUSED = Metric("orchestrator.telemetry.refused", "counter", "{value}", "Values that were no numbers, not counted")
COUNTED = (
    CALL_DURATION,
    CALL_TOKENS,
    CALL_FIRST_CHUNK,
    CALL_OUTPUT_CHUNK,
    SERVED_DURATION,
    SERVED_FIRST_TOKEN,
    SERVED_OUTPUT_TOKEN,
    REQUEST_DURATION,
    OVERHEAD,
    DECISIONS,
    FAILOVERS,
    HEALTH_CHANGES,
    HITS,
    COST,
    REFUSED,
)
"""What is counted as it happens."""

UP = Metric("orchestrator.model.up", "gauge", "1", "1 while a model may be asked, else 0")
IN_FLIGHT = Metric("orchestrator.model.in_flight", "gauge", "{call}", "Calls under way")
SAVED = Metric("orchestrator.cache.saved.usd", "gauge", "{USD}", "What remembered answers would have cost again")
GAUGES = (UP, IN_FLIGHT, SAVED)
"""What is read off the registry when somebody asks."""
