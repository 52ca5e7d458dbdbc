"""The emulator's behaviour: scripts, breakage, limits, quality, time and accounts."""

import asyncio
import json
import random
import subprocess
import sys
import urllib.request
from typing import Any

import aiohttp
import pytest

from orchestrator.errors import ConfigurationError, ModelNotFoundError
from orchestrator.testing import (
    HTML,
    CutStream,
    Drop,
    EmulatedModel,
    Emulator,
    Fail,
    FakeClock,
    Garbage,
    Hang,
    InBandError,
    Say,
    Slow,
    make_task,
)


async def chat(http: aiohttp.ClientSession, emulator: Emulator, prompt: str = "Hi", **body: Any) -> tuple[int, str]:
    """Status and body of one question to model `m` in OpenAI's dialect."""
    asked = {"model": "m", "messages": [{"role": "user", "content": prompt}], **body}
    async with http.post(emulator.base_url("openai") + "/chat/completions", json=asked) as response:
        return response.status, await response.text()


async def test_a_script_is_used_up_one_step_a_request(http):
    """After the last step the model behaves."""
    script = [Fail(503), HTML(502), Say("third")]
    async with Emulator([EmulatedModel("m", script=script)]) as emulator:
        seen = [await chat(http, emulator) for _ in range(4)]
        assert [status for status, _ in seen] == [503, 502, 200, 200]
        assert seen[1][1].startswith("<html>")
        assert "third" in seen[2][1]
        assert [entry.status for entry in emulator.log] == [503, 502, 200, 200]
        assert emulator.requests["m"] == 4


async def test_a_broken_model_fails_until_it_is_mended(http):
    """The script waits while the model is broken."""
    async with Emulator([EmulatedModel("m", script=[Say("first")])]) as emulator:
        emulator.break_model("m", Fail(500))
        assert [(await chat(http, emulator))[0] for _ in range(2)] == [500, 500]
        emulator.mend("m")
        assert "first" in (await chat(http, emulator))[1]


async def test_a_broken_provider_takes_all_its_paths_along(http):
    """The list of models fails as well; another label goes on working."""
    async with Emulator([EmulatedModel("m"), EmulatedModel("x", provider="acme")]) as emulator:
        emulator.break_provider("openai", Fail(503))
        assert (await chat(http, emulator))[0] == 503
        for provider, status in (("openai", 503), ("acme", 200)):
            async with http.get(emulator.base_url(provider) + "/models") as response:
                assert response.status == status
        emulator.mend()
        assert (await chat(http, emulator))[0] == 200


async def test_a_model_belongs_to_its_provider_only(http):
    """A label of one's own speaks OpenAI's dialect; under other labels the model is unknown."""
    async with Emulator([EmulatedModel("m", provider="acme")]) as emulator:
        assert (await chat(http, emulator))[0] == 404
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        async with http.post(emulator.base_url("acme") + "/chat/completions", json=asked) as response:
            assert response.status == 200


async def test_a_dropped_connection_has_no_reply(http):
    """Not a byte comes back."""
    async with Emulator([EmulatedModel("m", script=[Drop()])]) as emulator:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await chat(http, emulator)
        assert emulator.log[-1].status is None


async def test_a_cut_body_breaks_off_in_the_middle(http):
    """The length promised is more than what comes."""
    async with Emulator([EmulatedModel("m", script=[CutStream()])]) as emulator:
        with pytest.raises(aiohttp.ClientPayloadError):
            await chat(http, emulator)


async def test_a_cut_stream_breaks_after_so_many_pieces(http):
    """What came before the break is there, the end marker is not."""
    said = bytearray()

    async def listen(response: aiohttp.ClientResponse) -> None:
        async for piece in response.content.iter_any():
            said.extend(piece)

    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    async with (
        Emulator([EmulatedModel("m", script=[CutStream(after_chunks=3)])]) as emulator,
        http.post(emulator.base_url("openai") + "/chat/completions", json=asked) as response,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await listen(response)
    assert said.count(b"data: ") == 4
    assert b"[DONE]" not in said


async def test_a_clean_cut_ends_as_if_all_had_been_said(http):
    """Only the missing end marker tells."""
    async with Emulator([EmulatedModel("m", script=[CutStream(after_chunks=2, clean=True)])]) as emulator:
        status, body = await chat(http, emulator, stream=True)
    assert (status, body.count("data: "), "[DONE]" in body) == (200, 3, False)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_may_come_inside_a_success(http, stream):
    """Status 200, and the error in the body or in the middle of the stream."""
    async with Emulator([EmulatedModel("m", script=[InBandError("server", after_chunks=2)])]) as emulator:
        status, body = await chat(http, emulator, stream=stream)
    assert status == 200
    last = body.strip().rpartition("data: ")[2] if stream else body
    assert json.loads(last)["error"]["type"] == "server_error"


@pytest.mark.parametrize("stream", [False, True])
async def test_garbage_is_no_json(http, stream):
    """The status and the content type promise what the body does not keep."""
    async with Emulator([EmulatedModel("m", script=[Garbage()])]) as emulator:
        status, body = await chat(http, emulator, stream=stream)
    assert status == 200
    with pytest.raises(ValueError):
        json.loads(body.strip().rpartition("data: ")[2])


async def test_a_hanging_model_answers_nobody_and_stops_no_closing(http):
    """The client gives up, or the emulator closes; neither waits for the other."""
    async with Emulator([EmulatedModel("m", script=[Hang()])]) as emulator:
        task = asyncio.create_task(chat(http, emulator))
        while not emulator.log:  # noqa: ASYNC110 - the log rings no bell, the request is on its way
            await asyncio.sleep(0)
    with pytest.raises(aiohttp.ClientError):
        await task


async def test_a_stream_may_stall_in_the_middle(http):
    """Some pieces come, then nothing."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    async with (
        Emulator([EmulatedModel("m", script=[Hang(after_chunks=1)])]) as emulator,
        http.post(emulator.base_url("openai") + "/chat/completions", json=asked) as response,
    ):
        first = await response.content.readany()
        assert first.count(b"data: ") == 2
        assert not response.content.at_eof()


async def test_requests_per_minute_are_kept_and_told(http, clock: FakeClock):
    """One over the limit is a 429 with a hint; after the hint there is room again."""
    async with Emulator([EmulatedModel("m", requests_per_minute=2)], clock=clock) as emulator:
        assert [(await chat(http, emulator))[0] for _ in range(3)] == [200, 200, 429]
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        async with http.post(emulator.base_url("openai") + "/chat/completions", json=asked) as response:
            assert response.headers["retry-after"] == "30"
            assert response.headers["x-ratelimit-limit-requests"] == "2"
            assert response.headers["x-ratelimit-remaining-requests"] == "0"
            assert response.headers["x-ratelimit-reset-requests"] == "1m0s"
        clock.jump(30)
        assert (await chat(http, emulator))[0] == 200


async def test_latency_is_waited_through_the_clock(http, clock: FakeClock):
    """A slow model answers when the clock says so, and not before."""
    async with Emulator([EmulatedModel("m", latency_s=30, script=[Slow(90)])], clock=clock) as emulator:
        for latency_s in (90, 30):
            task = asyncio.create_task(chat(http, emulator))
            await clock.wait_for_sleepers()
            await clock.advance(latency_s - 1)
            assert not task.done()
            await clock.advance(1)
            assert (await task)[0] == 200


async def test_a_stream_keeps_its_pace(http, clock: FakeClock):
    """At one token a second, eight tokens take eight seconds."""
    model = EmulatedModel("m", tokens_per_s=1, script=[Say("aaa bbb ccc ddd eee fff ggg hhh ")])
    async with Emulator([model], clock=clock) as emulator:
        task = asyncio.create_task(chat(http, emulator, stream=True))
        for _ in range(8):
            await clock.wait_for_sleepers()
            await clock.advance(1)
        assert (await task)[1].count('"content":"') == 9
        assert clock.monotonic() == 8


@pytest.mark.parametrize(("quality", "expected"), [(1.0, 20), (0.0, 0), ({"code": 0.0}, 20), ({"arithmetic": 0.0}, 0)])
async def test_quality_is_the_share_of_right_answers(http, quality, expected):
    """By category, or for all; a category that is not listed is answered rightly."""
    rng = random.Random(3)
    tasks = [make_task("arithmetic", rng) for _ in range(20)]
    async with Emulator([EmulatedModel("m", quality=quality)]) as emulator:
        bodies = [json.loads((await chat(http, emulator, task.prompt))[1]) for task in tasks]
    said = [body["choices"][0]["message"]["content"] for body in bodies]
    assert sum(task.check(text) for task, text in zip(tasks, said, strict=True)) == expected


async def test_equal_seeds_give_equal_runs(http):
    """All chance hangs on the seed and the model's name."""

    async def run(seed: int) -> list[str]:
        rng = random.Random(11)
        async with Emulator([EmulatedModel("m", quality=0.5)], seed=seed, clock=FakeClock()) as emulator:
            return [(await chat(http, emulator, make_task("strings", rng).prompt))[1] for _ in range(20)]

    assert await run(1) == await run(1) != await run(2)


async def test_a_model_may_change_while_it_runs(http):
    """Drift is a change of behaviour under the same name; what was left of the script stays."""
    async with Emulator([EmulatedModel("m", script=[Say("one"), Say("two")])]) as emulator:
        await chat(http, emulator)
        emulator.change("m", quality=0.0)
        emulator.script("m", Say("three"))
        assert "two" in (await chat(http, emulator))[1]
        assert "three" in (await chat(http, emulator))[1]
        assert "42" not in (await chat(http, emulator, "What is 12 plus 30?"))[1].partition('"content"')[2][:10]


async def test_answers_are_paid_and_failures_are_not(http):
    """USD per million tokens, four characters a token."""
    model = EmulatedModel("m", input_usd_per_1m=3, output_usd_per_1m=15, script=[Say("x" * 40), Fail(500)])
    async with Emulator([model]) as emulator:
        await chat(http, emulator, "y" * 80)
        await chat(http, emulator)
        assert emulator.spent_usd["m"] == pytest.approx((20 * 3 + 10 * 15) / 1e6)


async def test_unknown_names_are_told_the_known_ones():
    """Every door names what it would have taken."""
    async with Emulator([EmulatedModel("gpt-4o")]) as emulator:
        with pytest.raises(ModelNotFoundError, match="gpt-4o"):
            emulator.break_model("gpt4o", Hang())
        with pytest.raises(ConfigurationError, match="anthropic"):
            emulator.base_url("antropic")
    with pytest.raises(ConfigurationError, match="two models"):
        Emulator([EmulatedModel("m"), EmulatedModel("m")])
    with pytest.raises(ConfigurationError, match="rate_limit"):
        Fail(kind="ratelimit")


async def test_a_path_that_does_not_exist_is_a_404(http):
    """In the dialect's form where there is a dialect."""
    async with Emulator([EmulatedModel("m")]) as emulator:
        for path in ("/openai/v1/nonsense", "/nobody/v1/models", "/"):
            async with http.get(emulator.url + path) as response:
                assert response.status == 404


def test_code_without_a_loop_uses_a_thread():
    """The server lives as long as the block, and errors of opening reach the caller."""
    with Emulator.in_thread([EmulatedModel("m", script=[Say("from a thread")])]) as emulator:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        asked = urllib.request.Request(emulator.base_url("openai") + "/chat/completions", data=body)
        with urllib.request.urlopen(asked) as response:
            assert b"from a thread" in response.read()
        port = int(emulator.url.rpartition(":")[2])
        with pytest.raises(OSError), Emulator.in_thread([], port=port):
            pass


def test_importing_the_package_loads_no_server():
    """`orchestrator.testing` costs nothing of aiohttp until an emulator is opened."""
    code = "import sys, orchestrator.testing as t; t.FakeClock, t.Emulator; print('aiohttp' in sys.modules)"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout == "False\n"
