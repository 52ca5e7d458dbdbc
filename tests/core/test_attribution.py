"""To whom a call is put down."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.attribution import tenant_of, usage_tags_of
from orchestrator.core.messages import Request


@pytest.mark.parametrize("tenant", [None, "a", "a" * 256, "Łódź"])
def test_a_name_is_a_tenant(tenant: str | None) -> None:
    """A name goes as it is, and none means nobody."""
    assert tenant_of(tenant) == tenant


@pytest.mark.parametrize("tenant", [0, "", b"acme", ["acme"], {"name": "acme"}, "a" * 257, "half \ud83d"])
def test_what_is_no_name_is_refused_before_anything_is_spent(tenant: Any) -> None:
    """The error names the value, or its length where it is long, and says what would do."""
    with pytest.raises(TypeError, match="give a name of 1 to 256 characters"):
        Request.of("Hello", tenant=tenant)


def test_tags_are_sorted_and_counted_once() -> None:
    """The order in which a caller names them adds no second account."""
    assert usage_tags_of(["b", "a", "b"]) == usage_tags_of(("a", "b")) == ("a", "b")
    assert usage_tags_of("batch") == ("batch",)


@pytest.mark.parametrize("tags", [[1], [""], ["a" * 65], ["half \ud83d"], [str(n) for n in range(17)]])
def test_tags_are_few_and_short(tags: Any) -> None:
    """What would grow the accounts without bound is refused."""
    with pytest.raises(TypeError, match="up to 16 words"):
        usage_tags_of(tags)
