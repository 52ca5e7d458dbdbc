"""Vectors and lists of models that are not what they should be, from a real server."""

from __future__ import annotations

import json

import pytest
from faults_of_content import raw, reply

from orchestrator.errors import MalformedResponseError
from orchestrator.integrations import OpenAIModel, close_sessions
from orchestrator.testing import FaultServer


@pytest.fixture
async def server():
    """A server that is well until told otherwise."""
    async with FaultServer() as server:
        yield server
        await close_sessions()


@pytest.fixture
def model(server):
    """A model at that server."""
    return OpenAIModel(name="m", api_key="any", base_url=server.base_url())


def vectors(*rows):
    """A list of vectors by index."""
    return {"data": [{"index": index, "embedding": vector} for index, vector in rows], "usage": {"prompt_tokens": 2}}


async def test_vectors_are_put_in_order_by_their_index(server, model):
    """Whatever order they came in."""
    server.script(reply(vectors((1, [0.0, 1.0]), (0, [1.0, 0.0]))))
    found = await model.embed(["one", "two"])
    assert [list(vector) for vector in found] == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    "rows",
    [
        [(0, [1.0])],
        [(0, [1.0]), (1, [1.0]), (2, [1.0])],
        [(0, [1.0]), (0, [2.0])],
        [(0, [1.0]), (7, [2.0])],
        [(0, [1.0, 2.0]), (1, [1.0])],
        [(0, ["one"]), (1, [1.0])],
        [(0, None), (1, [1.0])],
        [(0, []), (1, [])],
    ],
    ids=["too few", "too many", "one twice", "index beyond", "two lengths", "a word", "nothing", "empty"],
)
async def test_vectors_that_do_not_fit_the_texts_are_a_fault(server, model, rows):
    """A wrong vector would be found only much later."""
    server.script(*[reply(vectors(*rows))] * 3)
    with pytest.raises(MalformedResponseError):
        await model.embed(["one", "two"])


async def test_a_vector_with_a_nan_is_a_fault(server, model):
    """NaN is no JSON."""
    server.script(*[raw(json.dumps(vectors((0, [float("nan")]))).encode())] * 3)
    with pytest.raises(MalformedResponseError):
        await model.embed(["one"])


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], []),
        ([{"id": "a"}, {"id": "a"}, {"id": "b"}], ["a", "b"]),
        ([{"id": ""}, {"id": None}, {}, 7, "text", None, {"id": "a"}], ["a"]),
        ([{"id": "x" * 100_000}, {"id": "a\x1b[2J"}, {"id": "a"}], ["a"]),
        ([{"id": "a", "context_length": None, "pricing": {"prompt": "-1"}}], ["a"]),
        ([{"id": f"m{number}"} for number in range(100_000)], [f"m{number}" for number in range(100_000)]),
    ],
    ids=["empty", "twice", "no ids", "unusable ids", "no facts", "10^5"],
)
async def test_a_list_of_models_is_read_as_far_as_it_makes_sense(server, model, entries, found):
    """What is no model is left out, the rest stays."""
    server.script(reply({"object": "list", "data": entries}))
    assert [one.id for one in await model.list_models()] == found
