"""Tasks that can be checked from the answer's text."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigurationError
from orchestrator.testing import CATEGORIES, make_task, solve, spoil
from orchestrator.testing.skills import recognise
from orchestrator.testing.skills.agreement import same_function, same_json, same_label, same_number
from orchestrator.testing.skills.expressions import ExpressionRefusedError, call, function_in

SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.sampled_from(CATEGORIES))
def test_a_right_answer_scores_one_and_a_spoiled_one_nothing(seed: int, category: str):
    """The solver reads the prompt alone, the check the answer alone; they agree, and a slip is always seen."""
    rng = random.Random(seed)
    task = make_task(category, rng)
    right = solve(task.prompt)
    assert right is not None
    assert recognise(task.prompt) == (category, right)
    assert task.check(right) == 1.0
    assert task.check(spoil(right, rng)) == 0.0


@given(SEEDS, st.sampled_from(CATEGORIES))
def test_a_right_answer_may_be_wrapped_in_words(seed: int, category: str):
    """People and models say more than the bare answer."""
    task = make_task(category, random.Random(seed))
    right = solve(task.prompt)
    assert task.check(f"Sure, here it is:\n\n{right}") == 1.0


@given(st.text(), SEEDS, st.sampled_from(CATEGORIES))
def test_any_text_can_be_checked(said: str, seed: int, category: str):
    """The check takes whatever a model says and never raises."""
    assert make_task(category, random.Random(seed)).check(said) in (0.0, 1.0)


@pytest.mark.parametrize("category", CATEGORIES)
def test_prompts_hardly_repeat(category: str):
    """A few hundred draws are nearly all different."""
    rng = random.Random(7)
    prompts = {make_task(category, rng).prompt for _ in range(300)}
    assert len(prompts) >= 270


@pytest.mark.parametrize("category", CATEGORIES)
def test_equal_generators_make_equal_tasks(category: str):
    """Chance is an argument."""
    assert make_task(category, random.Random(5)).prompt == make_task(category, random.Random(5)).prompt


@given(st.text())
def test_small_talk_is_no_task(prompt: str):
    """Only our own questions are recognised."""
    assert solve(prompt) is None


def test_a_wrong_category_is_told_the_right_ones():
    """The error names what is accepted."""
    with pytest.raises(ConfigurationError, match="arithmetic"):
        make_task("arithmetics", random.Random(1))


def test_independent_solutions_are_right_too():
    """The checks know the answer, not the solver's spelling of it."""
    assert not same_function("def f(n):\n    return n << 1", "def f(n):\n    return 2 * n")  # not accepted
    assert same_function(
        "```python\ndef f(n):\n    '''Doubled.'''\n    return n + n\n```", "def f(n):\n    return 2 * n"
    )
    assert same_json('Here: {"a":true}', '{"a": true}')
    assert not same_json('{"a": 1}', '{"a": true}')
    assert same_number("That makes 1,250.00 dollars", "1250")
    assert not same_label("positive, not negative", "positive", labels=("positive", "negative"))


@pytest.mark.parametrize(
    "body",
    [
        "__import__('os').system('true')",
        "n.__class__",
        "open('x')",
        "(lambda: n)()",
        "9 ** 9 ** 9",
        "'a' * 10 ** 9",
        "'%s' % n",
        "'{0.__class__}'.format(n)",
        "[x for x in [1] * 10 for y in [1]]",
        "len(list(range(10 ** 9)))",
        "max(n, key=n)",
        "1 / 0",
        "unknown",
        "-" * 3_000 + "1",
    ],
)
def test_a_function_that_does_more_than_reckon_is_refused(body: str):
    """Strangers' code is walked, never executed: no imports, attributes, or numbers and texts without end."""
    with pytest.raises(ExpressionRefusedError):
        call(function_in(f"def f(n):\n    return {body}"), 3)
