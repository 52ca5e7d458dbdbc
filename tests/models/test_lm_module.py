"""A model with its settings as one callable."""

import pytest

from orchestrator import LMModule, LMModuleConfig, Model, ModelRegistry, ModelService
from orchestrator.errors import ConfigurationError, ModelNotFoundError


class Recording(Model):
    """Says `Hello` and remembers what it was asked."""

    async def generate_response(self, prompt, **kwargs):
        self.prompt, self.params = prompt, kwargs
        return "Hello"


@pytest.fixture
def model():
    """The model behind the module."""
    return Recording(id="mine", provider="custom")


@pytest.fixture
def module(model):
    """Make a module of a config."""
    registry = ModelRegistry()
    registry.register_model(model)
    return lambda **fields: LMModule(LMModuleConfig(model_id="mine", **fields), ModelService(registry))


def test_text_in_text_out(module, model):
    """The parameters of the config go along, and those that are not set do not."""
    assert module(temperature=0.7, params={"top_p": 0.9})("Hi") == "Hello"
    assert (model.prompt, model.params) == ("Hi", {"temperature": 0.7, "top_p": 0.9})


def test_a_call_overrides_for_itself_alone(module, model):
    """What a call says holds for that call; further keywords go to the provider."""
    lm = module(temperature=0.7)
    lm("Hi", temperature=0.1, seed=3)
    assert model.params == {"temperature": 0.1, "seed": 3}
    lm("Hi")
    assert model.params == {"temperature": 0.7}


def test_a_persona_is_the_systems_message(module, model):
    """It stands before the prompt, and a call may change it."""
    module(persona="You are a pirate.")("Hi")
    assert [(turn.role, turn.text) for turn in model.prompt] == [("system", "You are a pirate."), ("user", "Hi")]
    module(persona="You are a pirate.")("Hi", persona=None)
    assert model.prompt == "Hi"


def test_reasoning_in_steps_is_asked_for_after_the_prompt(module, model):
    """With words of one's own, or with the usual ones."""
    module(cot_prompt="Think first.")("Hi")
    assert model.prompt == "Hi\n\nThink first."
    module()("Hi", cot_prompt=True)
    assert model.prompt == "Hi\n\nLet's think step by step."


async def test_the_whole_reply_is_there_too(module):
    """Usage and cost come with `respond`, in both worlds."""
    reply = await module().respond_async("Hi")
    assert (reply.text, reply.model_id) == ("Hello", "mine")
    assert module().respond("Hi").text == "Hello"


def test_another_model_for_one_call(module):
    """An id is checked when it is used."""
    with pytest.raises(ModelNotFoundError):
        module()("Hi", model_id="nobody's")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model_id": "mine", "temprature": 1}, "'temprature'; did you mean 'temperature'"),
        ({"temperature": 1}, "'model_id': Field required"),
        ({"model_id": "mine", "temperature": -1}, "'temperature'"),
        ({"model_id": "mine", "max_tokens": 0}, "'max_tokens'"),
    ],
)
def test_a_wrong_config_is_refused(fields, told):
    """No field is ever dropped in silence."""
    with pytest.raises(ConfigurationError, match=told):
        LMModuleConfig(**fields)
