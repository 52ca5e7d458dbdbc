"""Models in this process: a real one, tiny, loaded from disk and run by transformers."""

import asyncio
import pickle
import shutil
import threading
from importlib.util import find_spec

import pytest
from tiny_model import ANSWER

from orchestrator import HuggingFaceModel, LazyHuggingFaceModel, ModelRegistry
from orchestrator.errors import (
    ContextLengthError,
    InvalidRequestError,
    ModelProviderError,
    NoEligibleModelsError,
    ServerError,
    StreamTruncatedError,
)
from orchestrator.integrations.local import residence
from orchestrator.integrations.local.model import LocalHuggingFaceModel
from orchestrator.integrations.local.placement import weights_gb
from orchestrator.testing import FakeClock
from orchestrator.testing.contracts import ModelContract

LONG = {"min_new_tokens": 200, "max_tokens": 200, "temperature": 0}


@pytest.fixture
async def model(tiny):
    """The tiny model, not loaded yet."""
    made = HuggingFaceModel("tiny", model_path=str(tiny), device="cpu")
    yield made
    await made.cleanup()


@pytest.fixture
def loads(monkeypatch):
    """The names of the models that are loaded, one entry a load."""
    made, load = [], residence.load

    def counted(name, placement, limits):
        made.append(name)
        return load(name, placement, limits)

    monkeypatch.setattr(residence, "load", counted)
    return made


@pytest.fixture
def held(monkeypatch, loads):
    """No load ends before this is set."""
    gate, load = threading.Event(), residence.load

    def patient(*arguments):
        gate.wait(30)
        return load(*arguments)

    monkeypatch.setattr(residence, "load", patient)
    return gate


class TestLocal(ModelContract):
    """It is a model like any other."""

    answer = ANSWER

    @pytest.fixture
    def model(self, model):
        return model


# what it says


async def test_tokens_are_those_of_its_own_tokenizer(model, tiny, transformers):
    """Of the prompt with its template, and of the answer with its end mark."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    answer = await model.generate_response("hello")
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "hello"}], add_generation_prompt=True)
    assert answer.usage.prompt_tokens == len(prompt["input_ids"])
    assert answer.usage.completion_tokens == len(tokenizer(ANSWER)["input_ids"]) + 1
    assert (answer.usage.cost_usd, answer.finish_reason) == (0.0, "stop")


async def test_the_stream_comes_token_by_token(model):
    """Whole characters, many pieces, the same words and figures as the answer in one piece."""
    whole = await model.generate_response("hello")
    chunks = [chunk async for chunk in model.stream_response("hello")]
    assert len(chunks) > 5
    assert "".join(chunk.text for chunk in chunks) == whole.text == ANSWER
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


@pytest.mark.parametrize("stop", [" not", ["never", "nd no"], "four"])
async def test_a_stop_string_ends_the_answer_and_is_not_shown(model, stop):
    """Even if it begins or ends within a token."""
    word = next(word for word in ([stop] if isinstance(stop, str) else stop) if word in ANSWER)
    answer = await model.generate_response("hello", stop=stop)
    assert (answer.text, answer.finish_reason) == (ANSWER[: ANSWER.index(word)], "stop")
    assert answer.usage.completion_tokens < (await model.generate_response("hello")).usage.completion_tokens
    streamed = [chunk.text async for chunk in model.stream_response("hello", stop=stop)]
    assert "".join(streamed) == answer.text


async def test_an_answer_that_is_cut_says_so(model):
    """By max_tokens, or by the window."""
    answer = await model.generate_response("hello", max_tokens=3)
    assert (answer.finish_reason, answer.usage.completion_tokens) == ("length", 3)
    assert ANSWER.startswith(answer.text)
    full = await model.generate_response("hello " * 100, **{**LONG, "min_new_tokens": 0})
    assert full.usage.total_tokens <= 256


async def test_the_same_seed_gives_the_same_words(model):
    """And sampling is sampling."""
    hot = {"temperature": 50.0, "max_tokens": 12}
    said = [(await model.generate_response("hello", seed=seed, **hot)).text for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"prompt": "word " * 300}, ContextLengthError, "256"),
        ({"prompt": ["What is this?", b"\x89PNG"]}, InvalidRequestError, "images"),
        ({"tools": [{"name": "f", "parameters": {}}]}, InvalidRequestError, "tools"),
        ({"response_format": "json"}, InvalidRequestError, "JSON"),
        ({"n": 2}, InvalidRequestError, "n=2"),
        ({"no_such_thing": 7}, InvalidRequestError, "no_such_thing"),
    ],
    ids=str,
)
async def test_what_it_cannot_do_is_refused_in_the_words_of_the_engine(model, wrong, error, said):
    """The caller's fault: the class and the message say what to change, and the prompt is not repeated."""
    with pytest.raises(error, match=said) as refusal:
        await model.generate_response(**{"prompt": "sesame", **wrong})
    assert "sesame" not in str(refusal.value)
    assert (await model.generate_response("hello")).text == ANSWER


async def test_a_model_without_a_template_is_asked_in_plain_text(tiny, tmp_path, transformers):
    """Roles stand before the turns where there are several."""
    folder = shutil.copytree(tiny, tmp_path / "plain")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    (folder / "chat_template.jinja").unlink()
    model = HuggingFaceModel("plain", model_path=str(folder), device="cpu")
    answer = await model.generate_response([{"role": "user", "content": "hello"}], max_tokens=1)
    assert answer.usage.prompt_tokens == len(tokenizer("hello")["input_ids"])
    turns = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    answer = await model.generate_response(turns)
    assert answer.usage.prompt_tokens == len(tokenizer("system: a\nuser: b\nassistant:")["input_ids"])
    assert answer.text == ANSWER
    await model.cleanup()


# where it runs


async def test_it_works_in_a_thread_of_its_own_and_one_at_a_time(model):
    """The loop is free for others."""
    await model.initialize()
    seen = []
    module = model.residence._loaded.model
    module.register_forward_hook(lambda *_: seen.append(threading.current_thread().name))
    await asyncio.gather(*(model.generate_response("hello") for _ in range(4)))
    assert len(set(seen)) == 1
    assert seen[0].startswith("huggingface/tiny")
    assert threading.current_thread().name not in seen


async def test_cancelling_ends_the_generation(model):
    """No token more than the one under way is made for nobody; whether whole or in pieces."""
    await model.initialize()
    steps, begun = [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def note(*_):
        steps.append(1)
        loop.call_soon_threadsafe(begun.set)

    model.residence._loaded.model.register_forward_hook(note)
    task = asyncio.create_task(model.generate_response("hello", **LONG))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stream = model.stream_response("hello", **LONG)
    await anext(stream)
    await stream.aclose()
    assert (await model.generate_response("hello")).text == ANSWER  # after both, in the same thread
    assert len(steps) < 200


async def test_unloading_ends_what_is_under_way_with_an_error(model):
    """Half an answer is none."""
    stream = model.stream_response("hello", **LONG)
    await anext(stream)
    await model.unload()
    with pytest.raises(StreamTruncatedError, match="unloaded"):
        async for _ in stream:
            pass
    assert not model.is_loaded
    assert (await model.generate_response("hello")).text == ANSWER


# when it is loaded


async def test_twenty_callers_at_once_load_it_once(tiny, loads):
    """And all are answered."""
    model = LazyHuggingFaceModel("tiny", model_path=str(tiny), quantization=None)
    await model.initialize()
    assert (loads, model.is_loaded) == ([], False)
    answers = await asyncio.gather(*(model.generate_response("hello") for _ in range(20)))
    assert {answer.text for answer in answers} == {ANSWER}
    assert loads == ["huggingface/tiny"]
    await model.cleanup()


async def test_a_failed_load_is_shared_by_those_who_waited_and_tried_again_by_the_next(tiny, tmp_path, loads, held):
    """Twenty callers meet one failure; once the files are whole, the next call works."""
    folder = tmp_path / "half"
    shutil.copytree(tiny, folder, ignore=shutil.ignore_patterns("config.json"))
    model = LazyHuggingFaceModel("half", model_path=str(folder), quantization=None)
    calls = asyncio.gather(*(model.generate_response("hello") for _ in range(20)), return_exceptions=True)
    for _ in range(10):
        await asyncio.sleep(0)  # until all of them wait
    held.set()
    results = await calls
    assert {type(result) for result in results} == {ServerError}
    assert "tries again" in str(results[0])
    assert len(loads) == 1
    shutil.copy(tiny / "config.json", folder)
    assert (await model.generate_response("hello")).text == ANSWER
    assert len(loads) == 2
    await model.cleanup()


async def test_a_folder_that_is_not_there_is_named(tmp_path, transformers):
    """It is a matter of settings, not of the network."""
    model = LazyHuggingFaceModel("gone", model_path=str(tmp_path / "gone"), quantization=None)
    with pytest.raises(ModelProviderError, match="gone"):
        await model.generate_response("hello")
    await model.cleanup()


async def test_idle_weights_are_let_go(tiny, loads):
    """So many seconds after the last call; the next one loads again."""
    clock = FakeClock()
    model = HuggingFaceModel("tiny", model_path=str(tiny), device="cpu", idle_s=60, clock=clock)
    await model.generate_response("hello")
    await clock.advance(50)
    await model.generate_response("hello")
    await clock.advance(50)
    assert model.is_loaded
    watch = model.residence._idler
    await clock.advance(20)
    await watch  # the thread gives them back, in its own time
    assert not model.is_loaded
    assert (await model.generate_response("hello")).text == ANSWER
    assert len(loads) == 2
    await model.cleanup()


async def test_weights_above_the_limit_are_refused_before_they_are_read(tiny, loads):
    """The message has both figures; the constraint is the user's."""
    needed = weights_gb(tiny)
    limits = {"required_memory_gb": needed / 2}
    model = HuggingFaceModel("tiny", model_path=str(tiny), device="cpu", constraints=limits)
    with pytest.raises(ModelProviderError, match=r"required_memory_gb=.* allows less"):
        await model.generate_response("hello")
    assert not model.is_loaded
    roomy = HuggingFaceModel("tiny", model_path=str(tiny), device="cpu", constraints={"required_memory_gb": needed * 2})
    assert (await roomy.generate_response("hello")).text == ANSWER
    await asyncio.gather(model.cleanup(), roomy.cleanup())


async def test_the_weights_are_as_large_as_was_said(model, tiny):
    """The estimate from the files' headers is what transformers counts."""
    await model.initialize()
    assert weights_gb(tiny) * 1e9 == model.residence._loaded.model.get_memory_footprint(return_buffers=False)


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="no bitsandbytes here: make test-local installs it")
@pytest.mark.filterwarnings("ignore:MatMul8bitLt")
async def test_eight_bits_say_the_same_in_less_room(tiny, model):
    """The default of the lazy one."""
    small = LazyHuggingFaceModel("tiny", model_path=str(tiny), quantization="int8", device_map="cpu")
    assert (await small.generate_response("hello")).text == ANSWER
    await model.initialize()
    assert (
        small.residence._loaded.model.get_memory_footprint()
        < 0.8 * model.residence._loaded.model.get_memory_footprint()
    )
    await small.cleanup()


# among others


async def test_a_registry_that_is_read_again_has_it_again(tiny, tmp_path):
    """The description tells how it is loaded."""
    registry = ModelRegistry(storage_path=tmp_path / "models.json")
    registry.register_model(HuggingFaceModel("tiny", model_path=str(tiny), device="cpu"))
    registry.save()
    again = ModelRegistry(storage_path=tmp_path / "models.json")
    model = again["huggingface/tiny"]
    assert (type(model), model.device, model.is_local) == (LocalHuggingFaceModel, "cpu", True)
    assert (await again.generate_response("hello", is_local=True)).text == ANSWER
    await again.cleanup()


async def test_another_model_answers_where_it_cannot_be_loaded(tiny, tmp_path):
    """Failover, as for any other failure."""
    (tmp_path / "config.json").write_text("{}")
    async with ModelRegistry(selection_strategy="round-robin") as registry:
        registry.register_model(HuggingFaceModel("broken", model_path=str(tmp_path), device="cpu"))
        registry.register_model(HuggingFaceModel("tiny", model_path=str(tiny), device="cpu"))
        for _ in range(2):
            answer = await registry.generate_response("hello")
            assert (answer.text, answer.model_id) == (ANSWER, "huggingface/tiny")
        await registry.cleanup()


async def test_it_travels_without_its_weights(model):
    """Pickled while it is loaded, it is loaded anew where it arrives."""
    await model.initialize()
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.is_loaded, twin.id) == (False, model.id)
    assert (await twin.generate_response("hello")).text == ANSWER
    await twin.cleanup()


def test_it_answers_code_that_cannot_await(tiny):
    """Two loops, one after the other, and one model."""
    model = HuggingFaceModel("tiny", model_path=str(tiny), device="cpu")
    assert [model("hello").text for _ in range(2)] == [ANSWER, ANSWER]
    asyncio.run(model.cleanup())


def test_nobody_is_chosen_who_cannot_be_loaded(monkeypatch, tiny):
    """Without the extra the model is not eligible, and says what to install."""
    monkeypatch.setattr("orchestrator.integrations.local.loader.find_spec", lambda _: None)
    registry = ModelRegistry()
    registry.register_model(LazyHuggingFaceModel("tiny", model_path=str(tiny)))
    with pytest.raises(NoEligibleModelsError, match=r"model-orchestrator\[huggingface\]"):
        registry.select()
