"""A key and a prompt are nobody's business: a canary of each appears in nothing that leaves the engine."""

import logging
import pickle
import traceback

import pytest

from orchestrator.core.outcome import Outcome
from orchestrator.errors import PROVIDER_ERRORS, OrchestratorError
from orchestrator.integrations import AnthropicModel, GoogleModel, OllamaModel, OpenAIModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import HTML, CutStream, Drop, EmulatedModel, Emulator, Fail, Garbage, InBandError

KEY = "sk-canary-5ac8e2d94b71"
PROMPT = "canary prompt about the merger of Acme and Initech"
DIALECTS = {"openai": OpenAIModel, "anthropic": AnthropicModel, "google": GoogleModel, "ollama": OllamaModel}
REPEATED = f"cannot answer {PROMPT!r} with key {KEY}"  # what a provider that quotes its caller says
FAULTS = [
    *(Fail(kind=kind, message=REPEATED) for kind in sorted(PROVIDER_ERRORS) if kind not in ("timeout", "connection", "malformed_response", "truncated")),
    *(Fail(status, message=REPEATED) for status in (400, 401, 403, 404, 409, 418, 422, 429, 500, 503, 529)),
    InBandError(message=REPEATED, after_chunks=0), InBandError(message=REPEATED), Drop(), CutStream(), Garbage(), HTML(),
]  # fmt: skip


class Spill:
    """Everything that anybody could have seen."""

    def __init__(self):
        self.texts = []

    def add(self, thing):
        """An object's every outward form."""
        self.texts += [repr(thing), str(thing)]
        try:
            self.texts.append(pickle.dumps(thing).decode("latin-1"))
        except (TypeError, pickle.PicklingError, AttributeError):
            self.texts.append("")  # what cannot be pickled leaks nothing that way
        if isinstance(thing, BaseException):
            self.texts += traceback.format_exception(thing)
            self.texts.append(repr(vars(thing)))

    def check(self, *canaries):
        """None of the canaries is in any of it."""
        for text in self.texts:
            for canary in canaries:
                assert canary not in text, f"{canary[:9]}... was shown in: {text[:500]}"


@pytest.fixture
async def emulator():
    """One model that everybody's dialect knows."""
    async with Emulator([EmulatedModel("m")], keys={KEY}) as emulator:
        yield emulator
        await close_sessions()


@pytest.fixture
def spill(caplog):
    """What was shown, the log at its most talkative included."""
    caplog.set_level(logging.DEBUG)
    return Spill()


@pytest.fixture(params=DIALECTS)
def registry(request, emulator, spill):
    """One model with the canary key, every outcome of which is shown to a watcher."""
    registry = ModelRegistry()
    registry.register_model(DIALECTS[request.param](name="m", base_url=emulator.base_url(request.param), api_key=KEY))

    def watch(model, outcome: Outcome):
        spill.add(model)
        spill.add(outcome)

    registry.subscribe(watch)
    return registry


async def test_no_failure_shows_key_or_prompt(registry, emulator, spill, caplog):
    """Every class of failure, plain and streamed, from a provider that repeats what it was given."""
    kinds = set()
    for fault in FAULTS:
        emulator.break_model("m", fault)
        for ask in (registry.generate_response, drained(registry)):
            try:
                await ask(PROMPT, max_attempts=1)
            except OrchestratorError as error:
                kinds.add(type(error))
                spill.add(error)
    assert len(kinds) >= 10
    for thing in (registry, registry.select(), await registry.get_model_health("m"), registry.usage.summaries()):
        spill.add(thing)
    spill.texts.append(caplog.text)
    spill.check(KEY, KEY[3:], PROMPT, "Initech")


def drained(registry):
    """A call that reads a stream to its end."""

    async def ask(prompt, **params):
        async for _ in registry.stream_response(prompt, **params):
            pass

    return ask


async def test_an_answer_shows_no_key(registry, emulator, spill, caplog):
    """Response, model, registry, description, request and usage after a success."""
    response = await registry.generate_response(PROMPT)
    model = next(iter(registry.values()))
    for thing in (response, model, model.info, registry, registry.service, response.usage, model.metrics):
        spill.add(thing)
    spill.texts += [model.info.model_dump_json(), repr(response.raw), caplog.text]
    spill.check(KEY, KEY[3:])


async def test_a_wrong_key_is_named_by_its_variable_only(emulator, spill, caplog):
    """The provider's own words about the key are not passed on."""
    wrong = "sk-wrong-canary-77120451"
    model = OpenAIModel(name="m", base_url=emulator.base_url("openai"), api_key=wrong)
    with pytest.raises(OrchestratorError) as caught:
        await model.generate_response(PROMPT)
    spill.add(caught.value)
    spill.add(model)
    spill.texts.append(caplog.text)
    spill.check(wrong, wrong[3:], PROMPT)


def test_a_refused_description_shows_nothing_of_itself(spill):
    """Validation errors do not repeat their input."""
    registry = ModelRegistry()
    for bad in (
        {"id": "a", "provider": "x", "api_key": KEY, "context_window": -1},
        {"provider": "x", "name": "", "api_key": KEY},
    ):
        with pytest.raises(ValueError) as caught:
            registry.register_model(bad)
        spill.add(caught.value)
    spill.check(KEY)
