"""The error tree: as drawn, complete, picklable and silent about keys and prompts."""

import inspect
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import errors
from orchestrator.api import exceptions
from orchestrator.core.outcome import Attempt
from orchestrator.errors import (
    PROVIDER_ERRORS,
    AmbiguousModelError,
    Blame,
    DuplicateModelError,
    ModelNotFoundError,
    NoEligibleModelsError,
    OrchestratorError,
    ProviderAPIError,
    did_you_mean,
)

MANY_NAMES = [
    f"{('openai', 'acme', 'meta')[place % 3]}/{('gpt', 'llama', 'mix', 'pro')[place % 4]}-{place * 7919 % 1_000_003}"
    for place in range(10_000)
]
CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, OrchestratorError)]
CALL_FAILURES = [c for c in CLASSES if issubclass(c, ProviderAPIError)]


def drawn_tree():
    """Pairs of class and parent, read from the indentation of the module's docstring."""
    path = []
    for line in errors.__doc__.splitlines():
        names = re.findall(r"\b[A-Z]\w+Error\b", re.sub(r"\(also \w+\)", "", line))
        if not line.startswith("    ") or not names:
            continue
        depth = (len(line) - len(line.lstrip()) - 4) // 2
        path[depth:] = [names[0]]
        for name in names:
            yield name, path[depth - 1] if depth else None


def test_the_tree_is_as_drawn():
    """Every class stands in the docstring under its parent, and nothing else does."""
    drawn = dict(drawn_tree())
    real = {c.__name__: c.__bases__[0].__name__ for c in CLASSES} | {"OrchestratorError": None}
    assert drawn == real


def test_every_class_of_failure_has_one_error():
    """`context["error_type"]` and the class say the same; the table has them all."""
    assert set(PROVIDER_ERRORS.values()) == set(CALL_FAILURES) - {ProviderAPIError}
    for error_type, error in PROVIDER_ERRORS.items():
        assert error("x").context["error_type"] == error_type
        assert isinstance(error.blame, Blame)


@pytest.mark.parametrize("error", CLASSES)
def test_errors_travel_between_processes(error):
    """A pickled error has its class, its text and its facts."""
    original = error("what happened")
    original.context["fact"] = 1
    if isinstance(original, ProviderAPIError):
        original.attempts, original.retry_after_s, original.status = (Attempt("m", "server", 0.1),), 2.0, 503
    twin = pickle.loads(pickle.dumps(original))
    assert (type(twin), str(twin), vars(twin)) == (error, "what happened", vars(original))


@pytest.mark.parametrize("error", CLASSES)
def test_the_text_is_the_message(error):
    """`str` is plain, also for those that are a KeyError too, and also without a message."""
    assert str(error("plain text")) == "plain text"
    assert str(error()) == ""


def test_look_ups_fail_as_mappings_do():
    """A missing id is a KeyError, a taken one a ValueError."""
    assert issubclass(ModelNotFoundError, KeyError)
    assert issubclass(AmbiguousModelError, ModelNotFoundError)
    assert issubclass(DuplicateModelError, ValueError)


def test_a_missing_id_comes_with_its_neighbours():
    """The message names the value and what was probably meant."""
    assert str(ModelNotFoundError.named("gpt4", ["gpt-4"])) == "no model 'gpt4' is registered; did you mean 'gpt-4'?"
    assert "known: none" in str(ModelNotFoundError.named("x", []))


@settings(max_examples=25, deadline=None)
@given(place=st.integers(0, 9_999), at=st.integers(0, 30), typo=st.sampled_from(["", "x", "xy"]))
def test_a_misspelt_name_is_found_among_ten_thousand(place, at, typo):
    """A letter left out, changed or doubled, in any place: the name that was meant is among those suggested."""
    meant = MANY_NAMES[place]
    at = min(at, len(meant) - 1)
    assert repr(meant) in did_you_mean(meant[:at] + typo + meant[at + 1 :], MANY_NAMES)


def test_few_names_are_compared_letter_by_letter(monkeypatch):
    """However many there are and however long the unknown one is: comparing letters takes longest."""
    compared = []
    monkeypatch.setattr(errors, "get_close_matches", lambda name, known, **_: compared.append((name, known)) or [])
    assert did_you_mean("model" * 100_000, MANY_NAMES).startswith(f"known: {MANY_NAMES[0]!r}")
    ((name, known),) = compared
    assert len(known) <= 200 >= len(name)


def test_no_eligible_model_lists_every_reason():
    """Each model stands on its own line with why not."""
    error = NoEligibleModelsError.among({"a": "too dear", "b": "lacks tag 'x'"})
    assert str(error).splitlines()[1:] == ["  a: too dear", "  b: lacks tag 'x'"]
    assert error.reasons["a"] == "too dear"
    assert "register_model" in str(NoEligibleModelsError.among({}))


def test_the_facade_offers_every_error():
    """`orchestrator.api.exceptions` has the same list."""
    assert exceptions.__all__ is errors.__all__
    assert {c.__name__ for c in CLASSES} <= set(exceptions.__all__)


def test_the_reasons_of_very_many_models_do_not_fill_the_screen():
    """The message has the first fifty and says how many more there are; `reasons` has them all."""
    error = NoEligibleModelsError.among({f"m{number}": "too dear" for number in range(10_000)})
    assert len(error.reasons) == 10_000
    assert len(str(error).splitlines()) == 52
    assert str(error).endswith("and 9950 more: see .reasons")
