"""What holds before any weights are in memory, and needs no torch: laziness, room, stop strings, pieces of text."""

import json
import struct
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import HuggingFaceModel, LazyHuggingFaceModel, ModelInfo, ModelRegistry
from orchestrator.catalog import ConnectorRegistry
from orchestrator.core.info import ModelConstraints
from orchestrator.errors import ConfigurationError, ModelProviderError, NoEligibleModelsError, ProviderConfigError
from orchestrator.integrations.local.model import LocalHuggingFaceModel
from orchestrator.integrations.local.pieces import Pieces
from orchestrator.integrations.local.placement import Placement, refuse_too_large, weights_gb
from orchestrator.integrations.local.stops import StopWords

HEAVY = ("torch", "transformers", "huggingface_hub", "tokenizers", "accelerate")


def test_nothing_is_imported_before_the_first_call():
    """Not by making one, registering it, asking whether it could be called, or choosing it."""
    code = (
        "import sys, asyncio\n"
        "from orchestrator import LazyHuggingFaceModel, ModelRegistry\n"
        "model = LazyHuggingFaceModel('small', model_path='org/small', quantization='int8', device_map='auto')\n"
        "registry = ModelRegistry()\n"
        "registry.register_model(model)\n"
        "asyncio.run(model.initialize())\n"
        "repr(model), repr(registry)\n"
        "if model.setup_issue() is None:\n"
        "    registry.select()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_a_device_makes_it_a_model_of_this_process():
    """One class for users; without a device it is the router's."""
    here, there = HuggingFaceModel("m", model_path="org/m", device="cpu"), HuggingFaceModel("m", model_path="org/m")
    assert (type(here), type(there)) == (LocalHuggingFaceModel, HuggingFaceModel)
    assert (here.is_local, there.is_local) == (True, False)
    assert isinstance(here, HuggingFaceModel)


def test_settings_can_tell_how_it_is_loaded():
    """As a file of settings does."""
    told = {"model_path": "org/m", "device_map": "auto", "quantization": "4bit"}
    model = ModelRegistry().register_model(ModelInfo(id="huggingface/m", connector_metadata={"transformers": told}))
    assert isinstance(model, LocalHuggingFaceModel)
    assert (model.residence.placement.facts, model.residence.placement.bits) == (told, 4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"quantization": "int3"}, "int3.*int8"),
        ({"device": "cpu", "device_map": "auto"}, "not both"),
        ({"device": "cpu", "idle_s": 0}, "idle_s=0"),
    ],
    ids=["bits", "two places", "no idle time"],
)
def test_wrong_settings_are_named_at_once(wrong, said):
    """Not at the first call."""
    with pytest.raises(ProviderConfigError, match=said):
        LocalHuggingFaceModel("m", model_path="org/m", **wrong)


def test_other_clients_cannot_reach_into_this_process():
    """A connector says so instead of giving an address that is none."""
    model = LazyHuggingFaceModel("m", model_path="org/m")
    with pytest.raises(ConfigurationError, match="huggingface/m"):
        ConnectorRegistry.built_in()["openai"].client_options(model)


def test_it_is_not_chosen_for_what_it_cannot_do(monkeypatch):
    """Tools and pictures go to others; the refusal names the capability."""
    monkeypatch.setattr("orchestrator.integrations.local.loader.find_spec", lambda _: object())  # all is installed
    registry = ModelRegistry()
    registry.register_model(LazyHuggingFaceModel("llava", model_path="org/llava"))
    for name in ("function_calling", "vision", "structured_output"):
        with pytest.raises(NoEligibleModelsError, match=name):
            registry.select(capabilities=[name])


# room


def safetensors(path, tensors):
    """A file of that format with a header and no tensors."""
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def test_the_size_of_weights_is_read_from_the_headers(tmp_path):
    """Of all files; quantization takes matrices, and leaves embeddings, heads and norms."""
    matrix = {"dtype": "F16", "shape": [1000, 1000], "data_offsets": [0, 0]}
    safetensors(tmp_path / "a.safetensors", {"layers.0.up.weight": matrix, "model.embed_tokens.weight": matrix})
    safetensors(tmp_path / "b.safetensors", {"norm.weight": matrix | {"shape": [1000], "dtype": "F32"}})
    assert weights_gb(tmp_path) == pytest.approx((2e6 + 2e6 + 4e3) / 1e9)
    assert weights_gb(tmp_path, 8) == pytest.approx((1e6 + 2e6 + 4e3) / 1e9)
    assert weights_gb(tmp_path, 4) == pytest.approx((5e5 + 2e6 + 4e3) / 1e9)
    assert weights_gb(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("needed_gb", "limit_gb", "free_gb", "said"),
    [
        (8.0, 4.0, 64.0, "allows less"),
        (8.0, None, 4.0, "4 GB are free"),
        (None, 8.0, 4.0, "needs 8 GB"),
        (8.0, 8.0, 8.0, None),
        (8.0, None, None, None),
        (None, None, 4.0, None),
    ],
)
@pytest.mark.parametrize("gpu", [False, True])
def test_what_does_not_fit_is_refused(needed_gb, limit_gb, free_gb, said, gpu):
    """By the limit of the description or by what is free; what is unknown refuses nothing."""
    limits = ModelConstraints(**{"required_gpu_memory_gb" if gpu else "required_memory_gb": limit_gb})
    if said is None:
        refuse_too_large("m", needed_gb, limits, free_gb, gpu=gpu)
        return
    with pytest.raises(ModelProviderError, match=said):
        refuse_too_large("m", needed_gb, limits, free_gb, gpu=gpu)


def test_a_placement_tells_where_it_is():
    """On which side of the bus its memory is counted."""
    assert [Placement("p", device=device).on_gpu for device in ("cpu", "cuda:1", "mps", None)] == [
        False,
        True,
        True,
        False,
    ]


# text


@settings(max_examples=400, deadline=None)
@given(
    text=st.text("abAB<>", max_size=40),
    words=st.lists(st.text("abAB<>", min_size=1, max_size=4), max_size=3),
    cuts=st.lists(st.integers(0, 40)),
)
def test_stop_strings_cut_alike_however_the_text_is_cut(text, words, cuts):
    """What is shown is the text up to the stop string that is complete first, whatever the pieces."""
    stops = StopWords(words)
    ends = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    shown = "".join(stops.feed(text[start:end]) for start, end in pairwise(ends)) + stops.rest()
    found = [(text.find(word) + len(word), text.find(word)) for word in words if word in text]
    assert (shown, stops.found) == (text[: min(found)[1]] if found else text, bool(found))


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=12))
def test_pieces_are_whole_characters_and_make_the_text(text):
    """A token a byte: what is told is never half a character."""
    told = []
    pieces = Pieces(lambda tokens: bytes(tokens).decode("utf-8", "replace"), told.append)
    pieces.put([0, 0, 0])
    for byte in text.encode():
        pieces.put([byte])
    pieces.end()
    assert "".join(told) == text
    assert "\ufffd" in text or not any("\ufffd" in piece for piece in told)
