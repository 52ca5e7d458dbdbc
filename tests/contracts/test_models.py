"""Every kind of model keeps the contract: a user's own, an adapted provider, and each dialect over HTTP."""

import pytest

from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model
from orchestrator.integrations import (
    AnthropicModel,
    BaseProvider,
    CompatibleModel,
    GoogleModel,
    OllamaModel,
    OpenAIModel,
)
from orchestrator.integrations.base_provider import ProvidedModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.testing import EmulatedModel, Emulator, Say
from orchestrator.testing.contracts import ModelContract

ANSWER = "The answer is 42, as everybody knows."


class Answering(ModelContract):
    """The suite, where the answer is known to the letter."""

    answer = ANSWER


class TwoMethods(Model):
    """The least that a user writes."""

    async def generate_response(self, prompt, **kwargs):
        return ANSWER

    async def health_check(self):
        return True


class Streams(TwoMethods):
    """With a stream of its own."""

    async def stream_response(self, prompt, **kwargs):
        for word in ANSWER.split(" "):
            yield word if word == "The" else f" {word}"


class NotAsync(TwoMethods):
    """Plain functions, and the older `parameters`."""

    def generate_response(self, prompt, parameters=None):
        return ANSWER


class Blocking(BaseProvider):
    """A provider that blocks."""

    def complete(self, prompt, model, **kwargs):
        return ANSWER


class Wrapped(OpenAIModel):
    """A user's code in front of a provider's."""

    async def generate_response(self, prompt, **kwargs):
        return await super().generate_response(prompt, **kwargs)

    async def stream_response(self, prompt, **kwargs):
        async for chunk in super().stream_response(prompt, **kwargs):
            yield chunk


class TestTwoMethods(Answering):
    """A custom model as the guide has it."""

    make = staticmethod(lambda: TwoMethods(id="custom/it"))


class TestStreams(Answering):
    """A custom model that streams."""

    make = staticmethod(lambda: Streams(id="custom/it"))


class TestNotAsync(Answering):
    """A custom model without `async`."""

    make = staticmethod(lambda: NotAsync(id="custom/it"))


class TestProvided(Answering):
    """A `BaseProvider` behind its adapter."""

    make = staticmethod(lambda: ProvidedModel(ModelInfo(id="custom/it", api_key="k"), Blocking))


class OverHTTP(Answering):
    """A model of the emulator that always says the same."""

    provider = "openai"
    model_type = OpenAIModel

    @pytest.fixture
    async def model(self):
        async with Emulator([EmulatedModel("m")]) as emulator:
            emulator.break_model("m", Say(ANSWER))
            yield self.model_type(name="m", base_url=emulator.base_url(self.provider), api_key="k")
            await close_sessions()


class TestOpenAI(OverHTTP):
    """Chat completions."""


class TestWrapped(OverHTTP):
    """A subclass of a provider class."""

    model_type = Wrapped


class TestCompatible(OverHTTP):
    """Any server of OpenAI's dialect."""

    model_type = CompatibleModel


class TestAnthropic(OverHTTP):
    """Messages."""

    provider, model_type = "anthropic", AnthropicModel


class TestGoogle(OverHTTP):
    """generateContent."""

    provider, model_type = "google", GoogleModel


class TestOllama(OverHTTP):
    """The native dialect."""

    provider, model_type = "ollama", OllamaModel
