"""The examples of the facade guide (S1), run as they stand but for the import root."""

import asyncio
import os
import subprocess
import sys
from typing import Optional

import pytest

from orchestrator.core.prices import PriceBook
from orchestrator.testing import Fail, Say

pytestmark = pytest.mark.usefixtures("street")


def test_one_function_is_the_entire_api(street):
    """S1 lines 9-11 and 25-31."""
    street.script("gpt-4", Say("Paris is the capital of France."))
    from orchestrator.api import models

    response = models("gpt-4", "What is the capital of France?")
    assert response.text == "Paris is the capital of France."


def test_basic_usage_with_parameters():
    """S1 lines 39-55."""
    from orchestrator.api import models

    response = models("gpt-4", "Explain quantum computing in one sentence")
    assert response.text
    response = models("gpt-4", "Write a haiku about Python", temperature=0.9)
    assert response.text


def test_the_provider_is_inferred_or_said(street, monkeypatch):
    """S1 lines 59-68."""
    from orchestrator.api import models

    prompt = "Hello"
    assert models("gpt-4", prompt).model_id == "openai/gpt-4"
    assert models("claude-3-opus", prompt).model_id == "anthropic/claude-3-opus"
    assert models("gemini-pro", prompt).model_id == "google/gemini-pro"
    assert models("openai/gpt-4", prompt).model_id == "openai/gpt-4"
    assert street.requests["gpt-4"] == 2

    from orchestrator.api.exceptions import ModelProviderError

    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    monkeypatch.delenv("AZURE_OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelProviderError, match="AZURE_OPENAI"):
        models("azure/gpt-4", prompt)


def test_response_handling():
    """S1 lines 72-88."""
    from orchestrator.api import models

    response = models("gpt-4", "Count to 10 in Spanish")
    shown = (
        f"Prompt tokens: {response.usage['prompt_tokens']}",
        f"Completion tokens: {response.usage['completion_tokens']}",
        f"Total tokens: {response.usage['total_tokens']}",
        f"Cost: ${response.usage['cost']:.4f}",
    )
    assert response.usage["total_tokens"] == response.usage["prompt_tokens"] + response.usage["completion_tokens"] > 0
    assert shown[-1].startswith("Cost: $0.0")


def test_efficient_repeated_calls():
    """S1 lines 92-106."""
    from orchestrator.api import models

    code = "def f(): pass"
    analyzer = models.instance("claude-3-opus", temperature=0.2, max_tokens=500)
    code_review = analyzer(f"Review this Python code:\n{code}")
    detailed_review = analyzer(f"Provide detailed code review:\n{code}", max_tokens=2000)
    assert code_review.text
    assert detailed_review.text
    assert analyzer.params == {"temperature": 0.2, "max_tokens": 500}


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, "Rate limited - retry with exponential backoff"), (401, "Invalid API key"), (400, "API error: ")],
)
def test_error_handling_at_run_time(street, status, expected):
    """S1 lines 110-128, the call failing."""
    street.break_model("gpt-4", Fail(status))
    said = handled()
    assert said.startswith(expected)


def test_error_handling_of_the_set_up(monkeypatch):
    """S1 lines 110-128, the key missing: the variable is named before any request."""
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "OPENAI_API_KEY" in handled()


def handled():
    """What the example prints."""
    from orchestrator.api import models
    from orchestrator.api.exceptions import ModelProviderError, ProviderAPIError

    try:
        models("gpt-4", "Hello world")
    except ModelProviderError as e:
        return f"Setup error: {e}"
    except ProviderAPIError as e:
        error_type = e.context.get("error_type")
        if error_type == "rate_limit":
            return "Rate limited - retry with exponential backoff"
        if error_type == "authentication":
            return "Invalid API key"
        return f"API error: {e}"
    return "no error"


def test_cost_tracking():
    """S1 lines 132-159."""
    from orchestrator.api import models

    response = models("gpt-4", "Write a comprehensive guide to Python decorators", max_tokens=2000)
    assert f"{response.usage['cost']:.4f}"

    from orchestrator.api.models import ModelRegistry

    registry = ModelRegistry()
    costs = [registry.invoke_model("gpt-4", question).usage["cost"] for question in ("one", "two", "three")]
    summary = registry.get_usage_summary("gpt-4")
    assert summary
    assert summary.request_count == 3
    assert f"{summary.total_usage.total_tokens:,}"
    assert summary.cost_usd == pytest.approx(sum(costs))
    assert summary.cost_usd / summary.request_count > 0


def test_retries_with_tenacity(street):
    """S1 lines 163-174: exceptions pass cleanly through an outer retry."""
    tenacity = pytest.importorskip("tenacity")
    from orchestrator.api import models

    street.script("gpt-4", Fail(429), Fail(429), Say("at last"))
    waits = []

    @tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential(multiplier=1, min=4, max=60),
        sleep=waits.append,
    )
    def reliable_completion(prompt: str) -> str:
        response = models("gpt-4", prompt)
        return response.text

    assert reliable_completion("Hello") == "at last"
    assert waits == [4, 4]


def test_async_for_high_throughput():
    """S1 lines 176-190."""
    from orchestrator.api.models import ModelRegistry

    async def process_batch(prompts: list[str]):
        registry = ModelRegistry()
        tasks = [registry.invoke_model_async("gpt-4", prompt) for prompt in prompts]
        responses = await asyncio.gather(*tasks)
        await registry.cleanup()
        return [r.data for r in responses]

    results = asyncio.run(process_batch(["one", "two", "three"]))
    assert len(results) == 3
    assert all(results)


def test_custom_providers(monkeypatch):
    """S1 lines 194-222."""
    from orchestrator.api import models
    from orchestrator.api.models.providers import BaseProvider, register_provider, unregister_provider
    from orchestrator.api.models.schemas import ChatResponse, UsageStats

    def azure_openai_call(endpoint, prompt, model, **kwargs):
        text = f"{endpoint} {model} {prompt} {kwargs}"
        return {"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}

    class AzureOpenAIProvider(BaseProvider):
        """Azure-hosted OpenAI models."""

        def __init__(self, api_key: str):
            super().__init__(api_key)
            self.endpoint = os.getenv("AZURE_OPENAI_ENDPOINT")

        def complete(self, prompt: str, model: str, **kwargs) -> ChatResponse:
            response = azure_openai_call(self.endpoint, prompt, model, **kwargs)
            return ChatResponse(
                data=response["choices"][0]["message"]["content"],
                usage=UsageStats(
                    prompt_tokens=response["usage"]["prompt_tokens"],
                    completion_tokens=response["usage"]["completion_tokens"],
                ),
            )

        def _get_api_key_from_env(self) -> Optional[str]:  # noqa: UP045 - as users write it
            return os.getenv("AZURE_OPENAI_API_KEY")

    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://example.org")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    register_provider("azure", AzureOpenAIProvider)
    try:
        response = models("azure/gpt-4", "Hello from Azure", temperature=1)
    finally:
        unregister_provider("azure")
    assert response.text == "https://example.org gpt-4 Hello from Azure {'temperature': 1}"
    assert response.usage["total_tokens"] == 7


def test_the_critical_path_and_one_instance():
    """S1 lines 247-257 and 265-273: the same model each time, made once."""
    from orchestrator.api.models import ModelRegistry

    registry = ModelRegistry()
    assert registry.get_model("gpt-4") is registry.get_model("gpt-4")
    assert registry.get_model("gpt-4")("Hello").text


def test_environment_configuration(monkeypatch):
    """S1 lines 281-296: the documented variables, in USD per million tokens."""
    monkeypatch.setenv("EMBER_COST_GPT4_INPUT", "31.0")
    monkeypatch.setenv("EMBER_COST_GPT4_OUTPUT", "61.0")
    bulk = '{"gpt-4-turbo": {"input": 10.5, "output": 30.5}, "custom-model": {"input": 5.0, "output": 15.0}}'
    monkeypatch.setenv("EMBER_MODEL_COSTS_JSON", bulk)
    prices = PriceBook.default()
    found = [prices.cost_of("openai", name) for name in ("gpt-4", "gpt-4-turbo", "custom-model")]
    assert [(cost.input, cost.output) for cost in found] == [(31, 61), (10.5, 30.5), (5, 15)]


def test_direct_registry_access():
    """S1 lines 300-315."""
    prometheus_client = pytest.importorskip("prometheus_client")
    from orchestrator.models import ModelRegistry

    own = prometheus_client.CollectorRegistry()
    metrics = {
        "model_invocations": prometheus_client.Counter("llm_calls", "Total LLM calls", ["model"], registry=own),
        "invocation_duration": prometheus_client.Histogram("llm_duration", "Call duration", ["model"], registry=own),
    }
    registry = ModelRegistry(metrics=metrics)
    response = registry.invoke_model("gpt-4", "Hello")
    assert response.text
    assert own.get_sample_value("llm_calls_total", {"model": "openai/gpt-4"}) == 1
    assert own.get_sample_value("llm_duration_count", {"model": "openai/gpt-4"}) == 1


def test_streaming(street):
    """S1 lines 323-326."""
    street.script("gpt-4", Say("Once upon a time there was a model."))
    from orchestrator.api import models

    told = ""
    for chunk in models.stream("gpt-4", "Write a long story"):
        told += chunk.text
    assert told == "Once upon a time there was a model."


def test_pictures_in_the_prompt():
    """S1 lines 332-334."""
    from orchestrator.api import models

    image = b"\x89PNG\r\n\x1a\n"
    response = models("gpt-4-vision", ["What's in this image?", image])
    assert response.text


def test_the_facade_is_light():
    """S1 line 17: importing the facade loads no provider and no HTTP client."""
    code = "import sys; from orchestrator.api import models; print(sorted({'aiohttp', 'numpy', 'pydantic'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
