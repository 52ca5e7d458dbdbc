"""The memory level: bounds, order of forgetting, expiry."""

import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.caches.memory import MemoryStore
from orchestrator.testing import FakeClock


def test_what_was_not_used_for_longest_goes_first():
    """Reading counts as use."""
    store = MemoryStore(max_size=2)
    store.put("a", b"1", 60)
    store.put("b", b"2", 60)
    assert store.peek("a") == b"1"
    store.put("c", b"3", 60)
    assert [store.peek(key) for key in "abc"] == [b"1", None, b"3"]


def test_what_would_fill_the_whole_level_is_not_taken():
    """One giant does not push everybody out; what it would have replaced is gone."""
    store = MemoryStore(max_bytes=2048)
    store.put("a", b"1", 60)
    store.put("b", b"2", 60)
    store.put("b", b"x" * 4096, 60)
    assert (store.peek("a"), store.peek("b")) == (b"1", None)


def test_the_wall_clock_has_no_say():
    """Lives are measured by the monotonic clock."""

    class Jumping(FakeClock):
        def time(self):
            return 0.0

    store = MemoryStore(clock=Jumping())
    store.put("a", b"1", 60)
    assert store.peek("a") == b"1"


class AgainstADictionary(RuleBasedStateMachine):
    """The level and a naive model see the same verbs."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.store = MemoryStore(max_size=5, max_bytes=4000, clock=self.clock)
        self.model = {}

    keys = st.sampled_from("abcdefgh")

    @rule(key=keys, value=st.binary(max_size=900), ttl_s=st.integers(0, 30))
    def put(self, key, value, ttl_s):
        self.store.put(key, value, ttl_s)
        self.model[key] = (value, self.clock.monotonic() + ttl_s)

    @rule(key=keys)
    def peek(self, key):
        found = self.store.peek(key)
        if found is not None:
            value, ends = self.model[key]
            assert found == value
            assert self.clock.monotonic() < ends

    @rule(delay_s=st.integers(1, 20))
    def wait(self, delay_s):
        self.clock.jump(delay_s)

    @invariant()
    def within_bounds(self):
        figures = self.store.figures()
        assert figures.entries <= 5
        assert figures.bytes == sum(held[3] for held in self.store._held.values()) <= 4000


TestAgainstADictionary = AgainstADictionary.TestCase
TestAgainstADictionary.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("value_bytes", [200, 1500])
def test_the_byte_bound_is_what_the_process_really_spends(value_bytes):
    """Within 5 % of the bound, as the allocator counts."""
    bound = 2 * 1024 * 1024
    tracemalloc.start()
    try:
        store = MemoryStore(max_size=10**9, max_bytes=bound)
        for number in range(3 * bound // value_bytes):
            store.put(f"{number:098d}", bytes([number % 251]) * value_bytes, 3600)
        gc.collect()
        spent, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent <= bound * 1.05


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 2000)), max_size=200))
@settings(max_examples=30, deadline=None)
def test_the_counted_bytes_never_pass_the_bound(load):
    """Whatever comes in whatever order."""
    store = MemoryStore(max_bytes=10_000)
    for key, size in load:
        store.put(str(key), b"x" * size, 60)
        assert store.bytes <= 10_000
