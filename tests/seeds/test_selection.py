"""The examples of the models reference (S4), with `await` where selection has it."""

import os
from typing import Any

import pytest

from orchestrator.testing import Fail

pytestmark = pytest.mark.usefixtures("street")


@pytest.fixture(autouse=True)
async def _closed(street):
    """What an example opens on its own event loop is closed there."""
    yield
    from orchestrator.integrations.transport import close_sessions

    await close_sessions()


async def test_the_usage_pattern():
    """S4 lines 25-46."""
    from orchestrator.integrations.openai_model import OpenAIModel
    from orchestrator.models.model_registry import ModelRegistry

    # Create registry
    registry = ModelRegistry()

    # Register models
    gpt4 = OpenAIModel(name="gpt-4", api_key=os.environ.get("OPENAI_API_KEY"))
    registry.register_model(gpt4)

    # Select best model for task (a request of usual size costs more than the guide's figure today)
    best_model = await registry.select_model(capabilities=["text_generation"], max_cost=0.1)

    # Generate response
    response = await best_model.generate_response("Hello, world!")
    assert best_model is gpt4
    assert response.text
    assert registry.selector.statistics()["openai/gpt-4"]["pulls"] == 1


async def test_several_models_with_requirements():
    """S4 lines 61-97."""
    from orchestrator.integrations.anthropic_model import AnthropicModel
    from orchestrator.integrations.openai_model import OpenAIModel
    from orchestrator.models.model_registry import ModelRegistry

    registry = ModelRegistry(selection_strategy="ucb", health_check_interval=300, cache_responses=True)
    models = [
        OpenAIModel(name="gpt-4", api_key=os.environ.get("OPENAI_API_KEY")),
        OpenAIModel(name="gpt-3.5-turbo", api_key=os.environ.get("OPENAI_API_KEY")),
        AnthropicModel(name="claude-3-opus", api_key=os.environ.get("ANTHROPIC_API_KEY")),
    ]
    for model in models:
        registry.register_model(model)

    selected_model = await registry.select_model(
        capabilities=["text_generation", "code_generation"],
        max_cost=0.05,
        min_speed=100,
        context_length=8000,
    )
    response = await selected_model.generate_response("Write a Python function to calculate fibonacci numbers")
    assert selected_model in models
    assert response.text


async def test_the_ucb_selector():
    """S4 lines 133-149, and the errors of lines 105-113 from the same place."""
    from orchestrator.integrations.openai_model import OpenAIModel
    from orchestrator.models.model_registry import (
        CostBasedSelector,
        ModelNotFoundError,
        ModelRegistry,
        ModelSelector,
        NoEligibleModelsError,
        PerformanceSelector,
        UCBModelSelector,
    )

    selector = UCBModelSelector(exploration_factor=2.0, min_trials=5, confidence_level=0.95)
    registry = ModelRegistry(model_selector=selector)
    with pytest.raises(NoEligibleModelsError):
        await registry.select_model(capabilities=["text_generation"])
    with pytest.raises(ModelNotFoundError):
        registry["gpt-4"]
    registry.register_model(OpenAIModel(name="gpt-4"))
    model = await registry.select_model(capabilities=["text_generation"])
    assert model.id == "openai/gpt-4"
    assert all(issubclass(kind, ModelSelector) for kind in (UCBModelSelector, CostBasedSelector, PerformanceSelector))


async def test_health_and_fail_over(street, capsys):
    """S4 lines 256-281."""
    from orchestrator.integrations.anthropic_model import AnthropicModel
    from orchestrator.integrations.openai_model import OpenAIModel
    from orchestrator.models.health_monitor import ModelHealthMonitor
    from orchestrator.models.model_registry import ModelRegistry

    monitor = ModelHealthMonitor(
        check_interval=300,  # 5 minutes
        failure_threshold=3,
        recovery_threshold=2,
    )
    registry = ModelRegistry(health_monitor=monitor)
    registry.register_model(OpenAIModel(name="gpt-4"))
    registry.register_model(AnthropicModel(name="claude-3-opus"))

    health_status = await registry.get_model_health("gpt-4")
    assert health_status.healthy

    street.break_model("gpt-4", Fail(401))
    assert (await registry.generate_response("Hello", models=["gpt-4", "claude-3-opus"])).text
    registry.health.observe(registry["gpt-4"], await failed_outcome(registry))
    health_status = await registry.get_model_health("gpt-4")
    if not health_status.healthy:
        print(f"Model issues: {health_status.issues}")  # noqa: T201 - as users write it
        backup_model = await registry.select_model(capabilities=["text_generation"], exclude_models=["gpt-4"])
    assert backup_model.id == "anthropic/claude-3-opus"
    assert "authentication" in capsys.readouterr().out


async def failed_outcome(registry):
    """The outcome of one call that the provider refuses."""
    from orchestrator.core.attempt import attempt
    from orchestrator.core.messages import Request

    _, outcome = await attempt(registry["gpt-4"], Request.of("Hello"))
    return outcome


async def test_a_custom_model():
    """S4 lines 325-357."""
    from orchestrator.core.model import Model, ModelCapabilities
    from orchestrator.models.model_registry import ModelRegistry

    class CustomModel(Model):
        """Custom model implementation."""

        def __init__(self, name: str, config: dict[str, Any]):
            capabilities = ModelCapabilities(text_generation=True, max_tokens=4096, supports_streaming=True)
            super().__init__(name=name, provider="custom", capabilities=capabilities)
            self.config = config

        async def generate_response(self, prompt: str, **kwargs) -> str:
            """Generate response from custom model."""
            return f"{self.config['prefix']} {prompt}"

        async def health_check(self) -> bool:
            """Check model health."""
            return True

    registry = ModelRegistry()
    registry.register_model(CustomModel("mine", {"prefix": "You said:"}))
    model = await registry.select_model(capabilities=["text_generation", "streaming"])
    response = await model.generate_response("Hello")
    assert (response.text, response.model_id) == ("You said: Hello", "custom/mine")
    assert (await registry.get_model_health("custom/mine")).healthy


def test_every_class_of_the_reference_is_where_it_says():
    """S4 lines 99-113, 153-241: the documented paths import, and give the same objects as the package."""
    import orchestrator
    from orchestrator.core.model import Model, ModelCapabilities, ModelConstraints, ModelMetrics
    from orchestrator.integrations.anthropic_model import AnthropicModel
    from orchestrator.integrations.google_model import GoogleModel
    from orchestrator.integrations.huggingface_model import HuggingFaceModel
    from orchestrator.integrations.ollama_model import OllamaModel
    from orchestrator.integrations.openai_model import OpenAIModel

    for cls in (
        Model, ModelCapabilities, ModelConstraints, ModelMetrics,
        AnthropicModel, GoogleModel, HuggingFaceModel, OllamaModel, OpenAIModel,
    ):  # fmt: skip
        assert getattr(orchestrator, cls.__name__) is cls


def test_the_other_parts_that_the_reference_names():
    """S4 lines 153-196: limits and the two other selectors, with the arguments that its guides give them."""
    from orchestrator import CostBasedSelector, Model, ModelConstraints, ModelRegistry, PerformanceSelector

    constraints = ModelConstraints(
        max_requests_per_minute=100, max_concurrent_requests=10, required_memory_gb=2.0, required_gpu_memory_gb=4.0
    )
    for selector in (
        CostBasedSelector(max_cost_per_request=0.10, prefer_local_models=True),
        PerformanceSelector(min_tokens_per_second=50, max_response_time=5.0, prefer_streaming=True),
    ):
        registry = ModelRegistry(model_selector=selector)
        registry["mine"] = Model(id="mine", provider="custom", constraints=constraints, is_local=True)
        assert registry["mine"].constraints.max_concurrent_requests == 10
        assert registry.selector is selector
