"""Several keys of one provider: in turn, and past the one that is refused, over real HTTP."""

import logging
import pickle

import pytest
from aiohttp import web
from pydantic import SecretStr

from orchestrator.core.messages import Request
from orchestrator.errors import AuthenticationError, ProviderConfigError, QuotaError, RateLimitError, ServerError
from orchestrator.integrations import AnthropicModel, CompatibleModel, OpenAIModel
from orchestrator.integrations.key_ring import KeyRing

OK = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": {}}
HELLO = Request.of("Hello")


@pytest.fixture
def gate(tiny):
    """Refuses keys by their status; every other one is answered, in pieces where it is wished."""
    refusals: dict[str, tuple[int, dict]] = {}

    async def answer(request):
        key = request.headers["Authorization"].removeprefix("Bearer ")
        status, headers = refusals.get(key, (200, {}))
        if status == 200 and (await request.json()).get("stream"):
            body = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
            return web.Response(body=body, content_type="text/event-stream")
        if status == 200:
            return web.json_response(OK)
        return web.json_response({"error": {"message": "no"}}, status=status, headers=headers)

    tiny.answers.append(answer)
    tiny.refusals = refusals
    return tiny


def keys_seen(tiny):
    """The keys that came, in order."""
    return [request["headers"]["authorization"].removeprefix("Bearer ") for request in tiny.requests]


def model_at(tiny, *keys, clock, **options):
    """A model with these keys."""
    return OpenAIModel("m", api_key=list(keys), base_url=tiny.url, clock=clock, **options)


async def test_keys_are_used_in_turn(gate, fake_clock):
    """Each call takes the next one."""
    model = model_at(gate, "r1", SecretStr("r2"), "r3", clock=fake_clock)
    for _ in range(6):
        await model.send(HELLO)
    assert keys_seen(gate) == ["r1", "r2", "r3"] * 2


@pytest.mark.parametrize(("status", "returns_in_s"), [(401, 60), (402, 300), (429, 7)])
async def test_a_refused_key_is_passed_over_until_it_may_be_good_again(gate, fake_clock, status, returns_in_s, caplog):
    """The caller does not notice; the key is tried again after the time that its refusal deserves."""
    model = model_at(gate, f"p{status}", f"q{status}", clock=fake_clock)
    gate.refusals[f"p{status}"] = (status, {"Retry-After": "7"} if status == 429 else {})
    for _ in range(5):
        assert (await model.send(HELLO)).text == "hi"
    assert keys_seen(gate).count(f"p{status}") == 1
    await fake_clock.advance(0.79 * returns_in_s)
    await model.send(HELLO)
    assert keys_seen(gate).count(f"p{status}") == 1
    await fake_clock.advance(0.42 * returns_in_s)
    gate.refusals.clear()
    await model.send(HELLO)
    await model.send(HELLO)
    assert keys_seen(gate).count(f"p{status}") == 2
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == (status != 429)


async def test_a_stream_takes_the_next_key_too(gate, fake_clock):
    """As long as nothing has come."""
    model = model_at(gate, "s1", "s2", clock=fake_clock)
    gate.refusals["s1"] = (401, {})
    for _ in range(2):
        chunks = [chunk.text async for chunk in model.open_stream(HELLO)]
        assert "".join(chunks) == "hi"
    assert keys_seen(gate) == ["s1", "s2", "s2"]


async def test_a_stream_that_has_begun_is_not_begun_again(tiny, fake_clock):
    """A limit in the middle of it is told, with the text so far; the key rests."""
    tiny.stream({"choices": [{"delta": {"content": "so far"}}]}, {"error": {"code": "rate_limit_exceeded"}})
    model = model_at(tiny, "z1", "z2", clock=fake_clock)
    with pytest.raises(RateLimitError) as caught:
        async for _ in model.open_stream(HELLO):
            pass
    assert (caught.value.text_so_far, keys_seen(tiny)) == ("so far", ["z1"])
    assert [status for status, _ in model.key_status.values()] == ["limited", "unknown"]


async def test_when_all_are_limited_the_error_says_when_the_first_is_free(gate, fake_clock):
    """Thirty seconds and ten: come back in ten. Until then a call asks only that one."""
    model = model_at(gate, "t1", "t2", clock=fake_clock)
    gate.refusals.update(t1=(429, {"Retry-After": "30"}), t2=(429, {"Retry-After": "10"}))
    with pytest.raises(RateLimitError, match="none of 2 keys is free; the first is in 10 s") as caught:
        await model.send(HELLO)
    assert (caught.value.retry_after_s, caught.value.model_id) == (10, "openai/m")
    with pytest.raises(RateLimitError):
        await model.send(HELLO)
    assert keys_seen(gate) == ["t1", "t2", "t2"]


async def test_one_limited_key_among_wrong_ones_is_a_matter_of_waiting(gate, fake_clock):
    """Only where every key is wrong does the error say so."""
    model = model_at(gate, "u1", "u2", clock=fake_clock)
    gate.refusals.update(u1=(429, {"Retry-After": "9"}), u2=(401, {}))
    with pytest.raises(RateLimitError):
        await model.send(HELLO)
    gate.refusals["u1"] = (402, {})
    await fake_clock.advance(9)
    with pytest.raises(QuotaError):
        await model.send(HELLO)
    gate.refusals["u1"] = (401, {})
    await fake_clock.advance(400)
    with pytest.raises(AuthenticationError):
        await model.send(HELLO)


async def test_other_failures_blame_no_key(gate, fake_clock):
    """A broken server is broken for every key."""
    model = model_at(gate, "v1", "v2", clock=fake_clock)
    gate.refusals.update(v1=(500, {}), v2=(500, {}))
    for _ in range(2):
        with pytest.raises(ServerError):
            await model.send(HELLO)
    assert keys_seen(gate) == ["v1", "v2"]


async def test_models_of_one_provider_share_what_they_learn_about_keys(gate, fake_clock):
    """The second model does not ask with the key that the first has found wrong."""
    first, second = (model_at(gate, "w1", "w2", clock=fake_clock, id=name) for name in "ab")
    gate.refusals["w1"] = (401, {})
    await first.send(HELLO)
    await second.send(HELLO)
    await second.send(HELLO)
    assert keys_seen(gate) == ["w1", "w2", "w2", "w2"]
    assert first.key_id == second.key_id
    assert sorted(status for status, _ in second.key_status.values()) == ["healthy", "unhealthy"]


async def test_several_keys_come_from_the_environment(gate, fake_clock, monkeypatch):
    """`<VARIABLE>S`, with commas between them; a refusal has them read anew."""
    monkeypatch.setenv("MINE_API_KEYS", " x1 , x2,,x1")
    model = CompatibleModel("m", provider="mine", base_url=gate.url, clock=fake_clock)
    for _ in range(2):
        await model.send(HELLO)
    monkeypatch.setenv("MINE_API_KEYS", "x3")
    gate.refusals["x1"] = (401, {})
    for _ in range(2):
        await model.send(HELLO)
    assert keys_seen(gate) == ["x1", "x2", "x1", "x2", "x3"]


async def test_a_key_of_the_environment_that_is_replaced_is_used_at_the_next_call(gate, monkeypatch):
    """Nothing has to be started again after a key was rotated."""
    monkeypatch.setenv("OPENAI_API_KEY", "old")
    model = OpenAIModel("m", base_url=gate.url)
    await model.send(HELLO)
    before = model.key_id
    gate.refusals["old"] = (401, {})
    monkeypatch.setenv("OPENAI_API_KEY", "new")
    with pytest.raises(AuthenticationError):
        await model.send(HELLO)
    await model.send(HELLO)
    assert keys_seen(gate) == ["old", "old", "new"]
    assert model.key_id != before


async def test_no_key_is_shown_anywhere(gate, fake_clock, caplog):
    """Not in logs at any level, errors, representations, pickles or the status of the keys."""
    caplog.set_level(logging.DEBUG)
    model = model_at(gate, "sk-canary-1", "sk-canary-2", clock=fake_clock)
    gate.refusals.update({"sk-canary-1": (401, {}), "sk-canary-2": (401, {})})
    with pytest.raises(AuthenticationError) as caught:
        await model.send(HELLO)
    model._clock = None  # this clock is a test's own
    shown = f"{model!r} {vars(model)} {model._line!r} {model.key_status} {caught.value!r} {caplog.text}"
    assert "canary" not in shown + pickle.dumps(model).decode("latin-1")
    assert pickle.loads(pickle.dumps(model)).key_status == {}


def test_keys_that_no_header_can_carry_are_refused():
    """One bad one among several is enough."""
    with pytest.raises(ProviderConfigError, match="characters"):
        AnthropicModel("m", api_key=["good", "b\nad"])


def test_a_single_key_in_a_list_is_a_single_key(monkeypatch):
    """And none at all is none."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert OpenAIModel("m", api_key=["k"]).key_id == OpenAIModel("m", api_key="k").key_id
    assert OpenAIModel("m", api_key=[]).setup_issue() is not None


def test_a_ring_gives_the_one_that_is_back_soonest_when_none_is_fit(fake_clock):
    """Nobody is turned away by the ring itself."""
    ring = KeyRing("p", ["a", "b"], fake_clock)
    for key, wait_s in zip(list(ring.in_turn()), (30, 20), strict=True):
        ring.refused(key, RateLimitError("x", retry_after_s=wait_s))
    assert [key.key_id for key in ring.in_turn()] == ["b"]
