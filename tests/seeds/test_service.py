"""The service's examples (S0), with the registry filled by hand where they read a settings file."""

from enum import Enum

import pytest

from orchestrator.testing import Say

pytestmark = pytest.mark.usefixtures("street")


def test_one_line_initialization(street):
    """S0 lines 144-151."""
    street.script("gpt-4o", Say("Hi there."))
    import orchestrator

    service = orchestrator.init()
    response = service("openai:gpt-4o", "Hello world!")
    assert response.data == "Hi there."


def test_the_service_by_keywords():
    """S0 lines 157-163."""
    from orchestrator.models.service import ModelService

    svc = ModelService()
    response = svc(model_id="openai:gpt-4o", prompt="Hello world!")
    assert response.data


def test_the_model_directly():
    """S0 lines 167-171."""
    from orchestrator.models.service import ModelService

    svc = ModelService()
    model = svc.get_model("openai:gpt-4o")
    response = model("What's the capital of France?")
    assert response.data


def test_a_service_without_usage_logging():
    """S0 lines 279-282."""
    from orchestrator.models.model_registry import default_registry
    from orchestrator.models.service import ModelService

    service = ModelService(registry=default_registry(), usage_service=None)
    resp = service.invoke_model(model_id="openai:gpt-4o", prompt="Hello world!")
    assert resp.data
    assert not default_registry().get_usage_summary("openai:gpt-4o")


def test_a_registered_description_with_its_key():
    """S0 lines 98-111 and 293-296, as a record instead of a file: `register_model(model_info)`."""
    from orchestrator import ModelInfo, ModelRegistry

    info = ModelInfo(
        model_id="openai:gpt-4o",
        model_name="GPT-4o",
        cost={"input_cost_per_million": 5, "output_cost_per_million": 15},
        rate_limit={"tokens_per_minute": 10_000_000, "requests_per_minute": 1500},
        provider={"name": "OpenAI", "default_api_key": "sk-emulated-0123456789"},
        api_key=None,
    )
    registry = ModelRegistry()
    registry.register_model(info)
    assert registry.list_models() == ["openai:gpt-4o"]
    response = registry.get_model("openai:gpt-4o")("Hello")
    tokens = response.usage
    assert response.usage["cost"] == pytest.approx((tokens.prompt_tokens * 5 + tokens.completion_tokens * 15) / 1e6)
    registry.unregister_model("openai:gpt-4o")
    assert registry.list_models() == []


def test_an_enum_of_ids():
    """S0 line 11: a member whose value is an id is as good as the id."""
    from orchestrator.models.service import ModelService

    class Known(Enum):
        gpt_4o = "openai:gpt-4o"

    assert ModelService()(Known.gpt_4o, "Hello").data


def test_usage_records():
    """S0 lines 309-310."""
    from orchestrator import UsageService, UsageStats

    usage = UsageService()
    usage.add_usage_record("openai:gpt-4o", UsageStats(prompt_tokens=1, completion_tokens=2))
    assert usage.get_usage_summary("openai:gpt-4o").total_usage.total_tokens == 3
