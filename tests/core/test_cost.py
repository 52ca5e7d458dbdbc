"""Money: one unit inside, exactly one named unit outside, unknown is never zero."""

import math
import warnings
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.cost import KINDS, Cost, CostChange, CostTier, CostUnitWarning
from orchestrator.core.info import ModelInfo
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ConfigurationError

prices = st.floats(min_value=1e-6, max_value=900)
maybe_prices = st.none() | prices
counts = st.integers(min_value=0, max_value=2_000_000)


@st.composite
def costs(draw):
    """Any price list, with up to two sizes above which it is dearer."""
    tiers = tuple(
        CostTier(above, **{kind: draw(maybe_prices) for kind in KINDS})
        for above in draw(st.lists(st.integers(1, 1_000_000), max_size=2, unique=True))
    )
    return Cost(
        **{kind: draw(maybe_prices) for kind in KINDS},
        per_request=draw(st.none() | st.floats(min_value=0, max_value=1)),
        tiers=tiers,
    )


@st.composite
def usages(draw):
    """Any usage whose parts fit their wholes."""
    read, written, plain = draw(counts), draw(counts), draw(counts)
    reasoning, spoken = draw(counts), draw(counts)
    return UsageStats(
        read + written + plain,
        reasoning + spoken,
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def test_a_price_list_is_read_as_usd_per_million():
    """12 tokens in and 47 out at 30 and 60 USD per million are 0.00318 USD."""
    assert Cost(input=30, output=60).price(UsageStats(12, 47)) == 0.00318


@pytest.mark.parametrize(
    ("given_prices", "expected"),
    [
        ({"input": 2.5, "output": 10}, Cost(input=2.5, output=10)),
        ({"input_cost_per_million": 2.5, "output_cost_per_million": 10}, Cost(input=2.5, output=10)),
        ({"input_cost_per_1k": 0.0025, "output_cost_per_1k": 0.01}, Cost(input=2.5, output=10)),
        ({"input_cost_per_thousand": 0.0025, "output_cost_per_thousand": 0.01}, Cost(input=2.5, output=10)),
        ({"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}, Cost(input=2.5, output=10)),
        ({"cost_per_token": {"input": 2.5e-6, "output": 1e-5}}, Cost(input=2.5, output=10)),
        (
            {"input_cost_per_million": 5000, "output_cost_per_million": 15000, "unit": "milli_usd"},
            Cost(input=5, output=15),
        ),
        ({"input": "2.5", "output": Decimal(10)}, Cost(input=2.5, output=10)),
        ({"input": 0, "output": 0}, Cost.FREE),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_each_named_unit_means_what_it_says(given_prices, expected):
    """The key names the unit; the figure is never a hint."""
    cost = Cost.of(given_prices)
    assert cost.input == pytest.approx(expected.input, rel=1e-12)
    assert cost.output == pytest.approx(expected.output, rel=1e-12)


@pytest.mark.parametrize("nothing", [{}, {"input": None}, {"cost_per_token": {"input": None}}, {"unit": "milli_usd"}])
def test_a_price_left_out_is_unknown(nothing):
    """None and absence are the same, and neither is zero."""
    assert Cost.of(nothing) == Cost() != Cost.FREE


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"input": 1, "output_cost_per_1k": 1}, "two units"),
        ({"input": 1, "cost_per_token": {"output": 1e-6}}, "two units"),
        ({"input": 1, "input_cost_per_million": 1}, "twice"),
        ({"inptu": 1}, "did you mean 'input'"),
        ({"cost_per_token": {"speech": 1}}, "speech"),
        ({"cost_per_token": 1e-6}, "mapping"),
        ({"input": math.nan}, "input"),
        ({"input": math.inf}, "input"),
        ({"input": -1}, "input"),
        ({"input": True}, "input"),
        ({"input": "cheap"}, "'cheap'"),
        ({"input": "nan"}, "'nan'"),
        ({"input": [1]}, "input"),
        ({"input": 10**400}, "input"),
        ({"input_cost_per_token": 1e300}, "input"),
        ({"input": 1, "unit": "cents"}, "'milli_usd'"),
        ({"input": 1, "unit": ["usd"]}, "'milli_usd'"),
        ({"per_request": -0.1}, "per_request"),
        ({"input": 1, "tiers": "high"}, "above_tokens"),
        ({"input": 1, "tiers": [{"input": 2}]}, "above_tokens"),
        ({"input": 1, "tiers": [{"above_tokens": -1, "input": 2}]}, "above_tokens"),
        ({"input": 1, "tiers": [{"above_tokens": 5, "inptu": 2}]}, "inptu"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_no_price_is_refused_by_name(bad, message):
    """The error names the key and what is accepted in its place."""
    with pytest.raises(ConfigurationError, match=message):
        Cost.of(bad)


def test_the_constructor_refuses_what_of_refuses():
    """No door leads around the checks."""
    with pytest.raises(ConfigurationError, match="output"):
        Cost(output=math.nan)


@pytest.mark.parametrize("usd", [1000, 5000])
def test_a_price_dearer_than_any_model_warns(usd):
    """From 1000 USD per million on, the warning shows the figure and the setting that is probably missing."""
    with pytest.warns(CostUnitWarning, match=f"{usd:,}.*unit: milli_usd"):
        assert Cost(input=usd, output=1).input == usd


def test_milli_usd_reads_the_same_figures_quietly():
    """With its unit named, a large figure is no surprise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Cost.of({"input": 5000, "unit": "milli_usd", "per_request": 10}) == Cost(input=5, per_request=0.01)


@given(price=prices, kind=st.sampled_from(KINDS))
def test_units_round_trip(price, kind):
    """Per thousand, per token and per million agree to the twelfth digit."""
    spellings = {"_cost_per_million": price, "_cost_per_1k": price / 1e3, "_cost_per_token": price / 1e6}
    for suffix, value in spellings.items():
        assert getattr(Cost.of({kind + suffix: value}), kind) == pytest.approx(price, rel=1e-12)
    assert Cost.of({kind: price}).per_token[kind] * 1e6 == pytest.approx(price, rel=1e-12)


@given(cost=costs(), usage=usages())
def test_a_price_is_never_negative_and_none_only_for_want_of_a_price(cost, usage):
    """With every count known, the cost is unknown only if a price is."""
    usd = cost.price(usage)
    if usd is None:
        assert None in (cost.input, cost.output)
    else:
        assert 0 <= usd < math.inf


@given(price_of=st.fixed_dictionaries(dict.fromkeys(KINDS, prices)), usage=usages())
def test_a_price_is_the_sum_of_its_buckets(price_of, usage):
    """Each token is charged once, in its own bucket."""
    cost = Cost(**price_of)
    buckets = {
        "input": usage.input_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write": usage.cache_write_tokens,
    }
    buckets |= {"output": usage.output_tokens, "reasoning": usage.reasoning_tokens}
    by_hand = sum(count * price_of[kind] for kind, count in buckets.items()) / 1e6
    assert cost.price(usage) == pytest.approx(by_hand, rel=1e-12)


@given(cost=costs(), usage=usages())
def test_a_model_info_survives_json(cost, usage):
    """What is saved gives the same price when it is read again."""
    info = ModelInfo(id="openai/gpt-4o", cost=cost)
    again = ModelInfo(**info.model_dump(mode="json"))
    assert again.cost == cost
    assert again.cost.price(usage) == cost.price(usage)
    assert ModelInfo.model_validate_json(info.model_dump_json()).cost == cost


def test_unknown_cache_and_reasoning_prices_are_charged_in_full():
    """Without a price of their own, cached tokens cost as input and reasoning as output."""
    usage = UsageStats(100, 50, cache_read_tokens=40, cache_write_tokens=10, reasoning_tokens=20)
    assert Cost(input=1, output=2).price(usage) == pytest.approx(200e-6)
    assert Cost(input=1, output=2, cache_read=0.1, cache_write=1.25, reasoning=0).price(usage) == pytest.approx(
        126.5e-6
    )


@pytest.mark.parametrize(
    ("cost", "usage"),
    [
        (Cost(), UsageStats(1, 1)),
        (Cost(input=1), UsageStats(1, 1)),
        (Cost(output=1), UsageStats(1, 1)),
        (Cost(input=1, output=1), UsageStats(1, None)),
        (Cost(input=1, output=1), UsageStats(None, 1)),
        (Cost(input=1, tiers=(CostTier(10, input=2),)), UsageStats(None, 1)),
        (Cost(input=1), UsageStats(1, None)),
    ],
    ids=repr,
)
def test_what_is_unknown_makes_the_cost_unknown(cost, usage):
    """A missing price or count gives None, never a number that looks like one."""
    assert cost.price(usage) is None


def test_what_costs_nothing_need_not_be_counted():
    """Free is free however much it was, and nothing of the unpriced costs nothing."""
    assert Cost.FREE.price(UsageStats()) == 0
    assert Cost(input=1).price(UsageStats(1_000_000, 0)) == 1


def test_a_tier_applies_to_the_whole_request_above_its_size():
    """At the threshold the lower price holds; one token more and every token costs the higher one."""
    cost = Cost(
        input=1, output=10, cache_read=0.1, tiers=(CostTier(1000, input=2), CostTier(100, input=1.5, output=15))
    )
    assert [tier.above_tokens for tier in cost.tiers] == [100, 1000]
    assert cost.price(UsageStats(100, 1)) == pytest.approx(110e-6)
    assert cost.price(UsageStats(101, 1)) == pytest.approx(166.5e-6)
    assert cost.price(UsageStats(101, 1, cache_read_tokens=100)) == pytest.approx(26.5e-6)
    assert cost.estimate(1001, 1) == pytest.approx(2012e-6)


def test_tiers_may_be_given_as_mappings():
    """A settings file and the constructor read the same records, in the unit that their keys name."""
    tier = {"above_tokens": 200_000, "input_cost_per_1k": 0.006}
    assert (
        Cost.of({"input": 3, "tiers": [tier]}) == Cost(input=3, tiers=[tier]) == Cost(3, tiers=(CostTier(200_000, 6),))
    )


def test_a_request_fee_is_added_once():
    """per_request is USD, not USD per million."""
    assert Cost(input=0, output=0, per_request=0.012).price(UsageStats(5, 5)) == 0.012


@given(cost=costs(), sent=counts, made=counts)
def test_an_estimate_is_the_price_of_uncached_tokens(cost, sent, made):
    """Before and after the call the same rule holds."""
    assert cost.estimate(sent, made) == cost.price(UsageStats(sent, made))


def test_per_token_lists_what_is_known():
    """The older mapping in USD per token has no zero for an unknown price."""
    assert Cost(input=2.5, cache_read=1).per_token == {"input": 2.5e-6, "cache_read": 1e-6}
    assert ModelInfo(id="a/b", cost_per_token={"input": 2.5e-6, "output": 1e-5}).cost.output == pytest.approx(10)


SUFFIXES = {"_cost_per_million": 1, "_cost_per_1k": 1e-3, "_cost_per_thousand": 1e-3, "_cost_per_token": 1e-6}


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(st.dictionaries(st.sampled_from(KINDS), prices, min_size=1), st.sampled_from([("usd", 1), ("milli_usd", 1000)]))
def test_every_unit_makes_the_round_trip(suffix, figures, unit):
    """A price written in any unit, in dollars or thousandths, is the same price when it is read."""
    name, per_dollar = unit
    written = {f"{kind}{suffix}": usd * SUFFIXES[suffix] * per_dollar for kind, usd in figures.items()}
    cost = Cost.of({**written, "unit": name})
    assert {kind: getattr(cost, kind) for kind in figures} == pytest.approx(figures, rel=1e-12)
    again = Cost.of({"cost_per_token": cost.per_token})
    assert {kind: getattr(again, kind) for kind in figures} == pytest.approx(figures, rel=1e-12)


NIGHT = CostChange(Cost(input=1, output=2), hours=(time(16, 30), time(0, 30)))
NEXT_YEAR = CostChange(Cost(input=8, output=9), from_date=date(2027, 1, 1))
NEXT_YEARS_NIGHT = CostChange(Cost(input=5, output=6), from_date=date(2027, 1, 1), hours=(time(16, 30), time(0, 30)))
CHANGING = Cost(input=3, output=4, changes=(NIGHT, NEXT_YEAR, NEXT_YEARS_NIGHT), batch=Cost(input=1.5, output=2))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-21T12:00", 3),
        ("2026-11-21T16:29:59", 3),
        ("2026-11-21T16:30", 1),
        ("2026-11-22T00:29", 1),
        ("2026-11-22T00:30", 3),
        ("2026-12-31T23:59:59", 1),
        ("2027-01-01T00:00", 5),
        ("2027-01-01T12:00", 8),
    ],
)
def test_prices_change_to_the_second(moment, expected):
    """The last change that holds counts; without a moment it is the usual price."""
    at_s = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    assert CHANGING.price(UsageStats(1_000_000, 0), at_s) == expected
    assert CHANGING.price(UsageStats(1_000_000, 0)) == 3


def test_changes_and_batch_prices_are_kept_in_a_description():
    """As JSON and back, with dates and hours."""
    info = ModelInfo(id="a", provider="custom", cost=CHANGING)
    again = ModelInfo.model_validate_json(info.model_dump_json())
    assert again.cost == CHANGING
    assert ModelInfo(**info.model_dump()).cost == CHANGING


@pytest.mark.parametrize(
    "change",
    [
        "2027",
        {},
        {"from_date": "2027-01-01"},
        {"cost": {"input": 1}, "form_date": "2027-01-01"},
        {"cost": {"input": 1}, "from_date": "soon"},
        {"cost": {"input": 1}, "from_date": 2027},
        {"cost": {"input": 1}, "hours": ["16:30"]},
        {"cost": {"input": 1}, "hours": 16},
        {"cost": 5, "from_date": "2027-01-01"},
        {"cost": {"inptu": 1}, "from_date": "2027-01-01"},
    ],
    ids=str,
)
def test_a_change_that_is_none_is_refused(change):
    """Before anything is priced by it."""
    with pytest.raises(ConfigurationError):
        Cost.of({"input": 1, "changes": [change]})
    with pytest.raises(ConfigurationError):
        Cost.of({"input": 1, "changes": change})
