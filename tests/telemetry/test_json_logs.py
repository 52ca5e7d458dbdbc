"""Logs as JSON: one object a line, with what belongs to the record and without what nobody may see."""

import io
import json
import logging

import pytest
from pydantic import SecretStr

from orchestrator import telemetry
from orchestrator.errors import OrchestratorError
from orchestrator.testing import EmulatedModel, Fail

KEYS = (
    "sk-abcdef0123456789",
    "AIzaSyA0123456789abc",
    "hf_abcdefghijklmnop",
    "gsk_abcdefghijklmnop",
    "Bearer abc123def456",
)


@pytest.fixture
def logged():
    """A logger that writes JSON into a text, and the lines of it so far."""
    text = io.StringIO()
    handler = telemetry.json_handler(text, secrets=["a-configured-secret", SecretStr("another-one-of-mine")])
    logger = logging.getLogger("orchestrator")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in text.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_a_record_is_a_line(logged):
    """Time, level, logger, message with its arguments, and extras under their own names."""
    logging.getLogger("orchestrator.tests").warning(
        "%d tries", 3, extra={"model": "m", "usd": float("nan"), "parts": (1, None)}
    )
    [line] = logged()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "orchestrator.tests",
        "message": "3 tries",
        "model": "m",
        "usd": None,
        "parts": [1, None],
    }


@pytest.mark.parametrize("key", [*KEYS, "a-configured-secret", "another-one-of-mine"])
def test_keys_are_hidden_wherever_they_stand(logged, key):
    """In messages, arguments, extras at any depth, and tracebacks."""
    error, extra = ValueError(f"refused\n{key}"), {"deep": {"er": [f"\n{key}\t"]}}
    logging.getLogger("orchestrator.tests").error("sent %s", key, exc_info=error, extra=extra)
    [line] = logged()
    assert key not in json.dumps(line)
    assert "[hidden]" in line["message"]
    assert "[hidden]" in line["deep"]["er"][0]
    assert "ValueError" in line["exception"]


def test_a_record_of_many_lines_stays_one_line(logged):
    """Whoever reads line by line sees one record."""
    logging.getLogger("orchestrator.tests").info("one\ntwo")
    assert [line["message"] for line in logged()] == ["one\ntwo"]


async def test_lines_carry_the_current_trace(watched, logged):
    """So that a log line leads to its trace."""
    async with watched() as w:
        with w.tracing.get_tracer("app").start_as_current_span("app") as span:
            logging.getLogger("orchestrator.tests").info("inside")
        logging.getLogger("orchestrator.tests").info("outside")
    inside, outside = (line for line in logged() if line["logger"] == "orchestrator.tests")
    assert inside["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert "trace_id" not in outside


async def test_requests_are_logged_where_that_is_wanted(watched, logged):
    """One line each, at INFO or at WARNING, with who answered and what it cost, and none of the words."""
    async with watched(EmulatedModel("first", script=[Fail(503), Fail(401)]), EmulatedModel("second")) as w:
        log = telemetry.RequestLog(w.registry)
        answer = await w.registry.generate_response("canary-prompt", tenant="blue")
        with pytest.raises(OrchestratorError):
            await w.registry.invoke_model_async("first", "canary-prompt")
        log.stop()
        await w.registry.generate_response("hi")
    good, bad = (line for line in logged() if line["logger"] == "orchestrator.requests")
    assert (good["level"], good["message"], good["response_id"]) == ("info", "request answered", answer.id)
    assert (good["model"], good["attempts"], good["tenant"]) == ("second", 2, "blue")
    assert good["cost_usd"] == pytest.approx(answer.usage.cost_usd)
    assert good["duration_s"] >= good["overhead_s"] > 0
    assert (bad["level"], bad["message"], bad["error_type"]) == ("warning", "request failed", "authentication")
    assert "canary" not in json.dumps(logged())
