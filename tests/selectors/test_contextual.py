"""Policies that look at the request: linear ones, categories, and the context itself."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.selectors import CategorySelector, Context, LinTSSelector, LinUCBSelector, context_of
from orchestrator.selectors.context import FEATURES, category_of, features_of
from orchestrator.selectors.ridge import Ridge

numbers = st.floats(-1, 1)


@given(pairs=st.lists(st.tuples(st.lists(numbers, min_size=3, max_size=3), numbers), min_size=1, max_size=30))
def test_rank_one_steps_give_the_ridge_regression(pairs):
    """The same line as by solving the normal equations, and the inverse stays symmetric and positive."""
    lines = Ridge(3, ridge=0.5)
    for x, y in pairs:
        lines.learn(0, np.array(x), y)
    xs, ys = np.array([x for x, _ in pairs]), np.array([y for _, y in pairs])
    inverse = np.linalg.inv(xs.T @ xs + 0.5 * np.eye(3))
    for x in np.eye(3):
        mean, variance = lines.predict(x)
        assert mean[0] == pytest.approx(x @ inverse @ xs.T @ ys, abs=1e-8)
        assert variance[0] == pytest.approx(x @ inverse @ x, abs=1e-8)


def test_rounding_does_not_pile_up():
    """After 2,500 steps along one direction the inverse is still that of the sums."""
    lines, rng = Ridge(2, ridge=1.0), np.random.default_rng(0)
    xs = np.array([[1.0, number] for number in rng.normal(0, 1e-3, size=2_500)])
    for x in xs:
        lines.learn(0, x, 1.0)
    _, variance = lines.predict(np.array([0.0, 1.0]))
    assert variance[0] == pytest.approx(np.linalg.inv(xs.T @ xs + np.eye(2))[1, 1], rel=1e-9)


def turns_of(selector, arms=("a", "b")):
    """Teach that a is for the first kind of request and b for the second."""
    contexts = [Context("x", (1.0, 0.0)), Context("y", (0.0, 1.0))]
    for arm in arms:
        selector.enroll(arm)
    for _ in range(30):
        for kind, context in enumerate(contexts):
            for place, arm in enumerate(arms):
                quality = 0.9 if place == kind else 0.2
                selector.settle(arm, quality=quality, cost_usd=0.01, latency_s=None, context=context)
    return contexts


@pytest.mark.parametrize("make", [LinUCBSelector, LinTSSelector, CategorySelector])
def test_each_kind_of_request_gets_its_own_arm(make):
    """And one of an unknown kind gets an answer all the same."""
    selector, rng = make(), np.random.default_rng(0)
    contexts = turns_of(selector)
    slate = selector.slate(["a", "b"])
    assert [selector.choose(slate, rng, context=context).arm for context in contexts] == ["a", "b"]
    for strange in (None, Context(), Context("z", (1.0,)), Context(features=(math.nan, 0.0))):
        assert selector.choose(slate, rng, context=strange).arm in {"a", "b"}


def test_features_that_are_no_numbers_leave_no_trace():
    """A call with them counts as one without."""
    selector, twin = LinUCBSelector(), LinUCBSelector()
    for each, bad in ((selector, Context(features=(math.inf, 1.0))), (twin, None)):
        turns_of(each)
        each.settle("a", quality=1.0, cost_usd=None, latency_s=None, context=bad)
    assert selector.state() == twin.state()
    assert json.loads(json.dumps(selector.state(), allow_nan=False)) == selector.state()


def test_lines_merge_into_what_one_would_have_learnt():
    """Gram matrices add, also for an arm that comes after its memory."""
    teacher, pupil, rng = LinUCBSelector(), LinUCBSelector(), np.random.default_rng(0)
    contexts = turns_of(teacher)
    pupil.merge(json.loads(json.dumps(teacher.state())))
    for arm in "ab":
        pupil.enroll(arm)
    scores = [
        selector.choose(selector.slate(["a", "b"]), rng, context=contexts[0]).scores for selector in (teacher, pupil)
    ]
    assert scores[0] == pytest.approx(scores[1])


@pytest.mark.parametrize(
    "poison",
    [
        None,
        {},
        {"gram": ["x"], "moment": [1]},
        {"gram": [-5.0] * 6, "moment": [0.0] * 3},
        {"gram": [1.0], "moment": [1.0]},
    ],
)
def test_lines_that_cannot_be_true_are_dropped(poison):
    """No covariance, or of another size: counted, and nothing else changes."""
    teacher, pupil = LinUCBSelector(), LinUCBSelector()
    turns_of(teacher)
    turns_of(pupil)
    lines = pupil.state()["arms"]["a"]["lines"]
    state = teacher.state()
    state["arms"]["a"]["lines"] = [poison]
    pupil.merge(state)
    assert pupil.dropped == 1
    assert pupil.state()["arms"]["a"]["lines"] == lines


def test_a_late_rating_moves_the_line():
    """As if it had come at once."""
    late, at_once = LinUCBSelector(), LinUCBSelector()
    context = Context(features=(0.5, -0.5))
    for selector, quality in ((late, 1.0), (at_once, 0.25)):
        selector.enroll("a")
        selector.settle("a", quality=quality, cost_usd=None, latency_s=None, context=context)
    late.revise("a", old_quality=1.0, new_quality=0.25, context=context)
    assert late.state()["arms"]["a"]["lines"][0]["moment"] == pytest.approx(
        at_once.state()["arms"]["a"]["lines"][0]["moment"]
    )


@given(prompt=st.text(max_size=2_000))
def test_every_text_has_features(prompt):
    """As many numbers as there are names, all between -1 and 1, and always the same."""
    features = features_of(prompt)
    assert len(features) == len(FEATURES)
    assert all(-1 <= number <= 1.5 for number in features)
    assert features == features_of(prompt)


@pytest.mark.parametrize(
    ("prompt", "category"),
    [
        ("Translate 'good morning' into French.", "translation"),
        ("Fix this:\n```python\nprint(x\n```", "code"),
        ("Pick one.\nA. red\nB. blue", "choice"),
        ("A train goes 60 km/h; how many hours for 300 km?", "maths"),
        ("Write me a poem about rain", "writing"),
        ("Who was the first?", "question"),
        ("hello there", "chat"),
        ("", "chat"),
    ],
)
def test_requests_are_sorted_into_coarse_kinds(prompt, category):
    """Well enough to learn by; users bring their own function for more."""
    assert category_of(prompt) == category
    assert context_of(prompt, categorise=lambda text: f"{len(text)} letters").category == f"{len(prompt)} letters"


@pytest.mark.parametrize(
    ("prompt", "script"),
    [("plain", "latin"), ("привет, мир", "cyrillic"), ("你好世界", "cjk"), ("שלום", "other_script")],
)
def test_the_script_is_told(prompt, script):
    """By most of the first letters."""
    named = dict(zip(FEATURES, features_of(prompt), strict=True))
    assert [name for name in ("latin", "cyrillic", "cjk", "other_script") if named[name]] == [script]


def test_a_memory_by_category_is_saved_and_merged():
    """One who was taught and one who has read the memory choose alike, kind by kind."""
    teacher, pupil, rng = CategorySelector(), CategorySelector(), np.random.default_rng(0)
    contexts = turns_of(teacher)
    pupil.merge(json.loads(json.dumps(teacher.state())))
    for arm in "ab":
        pupil.enroll(arm)
    assert [pupil.choose(pupil.slate(["a", "b"]), rng, context=context).arm for context in contexts] == ["a", "b"]
    assert pupil.state() == teacher.state()


def test_who_has_left_counts_in_no_category():
    """The trials of a model that left do not widen the bounds of those that stay."""
    stayed, left = CategorySelector(), CategorySelector()
    left.enroll("gone", expected_quality=0.9)
    for selector in (stayed, left):
        turns_of(selector)
    left.retire("gone")
    context = Context("x")
    scores = [
        list(selector.choose(selector.slate(["a", "b"]), np.random.default_rng(0), context=context).scores)
        for selector in (stayed, left)
    ]
    assert scores[0] == scores[1]
