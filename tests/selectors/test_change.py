"""The change test of one arm."""

import math

import numpy as np
import pytest

from orchestrator.selectors.change import Watch


def fed(watch, qualities, *, start=0):
    """The rounds in which the watch told of a change."""
    return [start + number for number, quality in enumerate(qualities) if watch.hears(quality, at=start + number)]


@pytest.mark.parametrize("usual", [0.6, 0.8, 0.95])
def test_a_fall_to_nothing_is_seen_in_a_few_results(usual):
    """Each failure of a good model tells more: 15 are enough at .6, 8 at .8."""
    watch = Watch()
    fed(watch, (np.random.default_rng(0).random(200) < usual).astype(float))
    alarms = fed(watch, [0.0] * 40, start=200)
    assert watch.fallen
    assert alarms[0] - 200 < {0.6: 15, 0.8: 8, 0.95: 6}[usual]


def test_false_alarms_are_rare():
    """A fresh start ends in one with probability e^-7 at most (Wald), so that 10,000 results bring fewer than ten."""
    alarms = 0
    for seed in range(20):
        watch = Watch()
        alarms += len(fed(watch, (np.random.default_rng(seed).random(500) < 0.7).astype(float)))
    assert alarms < 10


@pytest.mark.parametrize(("results", "failures"), [(500, 5), (1_000, 5), (20_000, 7)])
def test_the_longer_it_went_well_the_more_it_takes(results, failures):
    """Each failure of a model that is right at four of five tells 1.5 nats: five make seven, seven make ten."""
    watch = Watch()
    assert not fed(watch, [1.0, 1.0, 1.0, 1.0, 0.0] * (results // 5))
    assert fed(watch, [1.0] + [0.0] * 40, start=results)[0] - results == failures


def test_a_stretch_of_results_counts_whole_or_not_at_all():
    """The usual self holds whole stretches only, so that its mean is not biased upwards by taking good parts."""
    watch, qualities = Watch(), (np.random.default_rng(3).random(2_000) < 0.7).astype(float)
    fed(watch, qualities)
    assert watch.number <= 2_000
    assert watch.total / watch.number == pytest.approx(qualities.mean(), abs=0.02)


def test_it_is_asked_again_ever_more_rarely_and_at_once_after_a_good_answer():
    """The waits double after bad probes."""
    watch = Watch()
    fed(watch, [1.0] * 50)
    at = 49
    while not watch.fallen:
        at += 1
        watch.hears(0.0, at=at)
    waits = []
    for _ in range(3):
        waits.append(watch.probe_at - at)
        at = watch.probe_at
        watch.hears(0.0, at=at)
    assert waits == [10, 20, 40]
    watch.hears(1.0, at=(at := watch.probe_at))
    assert watch.probe_at == at


def test_what_has_recovered_gets_its_past_back():
    """A few good answers in a row, and the usual self counts again without the bad time."""
    watch = Watch()
    fed(watch, [1.0, 0.0, 1.0, 1.0, 1.0] * 20)
    before = watch.number
    fed(watch, [0.0] * 30, start=100)
    assert watch.fallen
    fed(watch, [1.0] * 6, start=130)
    assert not watch.fallen
    assert watch.probe_at == math.inf
    assert before - 5 <= watch.number <= before + 10
    assert watch.total / watch.number > 0.75
