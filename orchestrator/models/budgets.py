"""Hard limits on money: what a call may cost is set aside before it leaves, and what it did cost is booked after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import inf
from typing import Any, Literal, NamedTuple

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import BudgetExceededError, ConfigurationError, did_you_mean
from orchestrator.models.money.accounts import Accounts, Hold, MemoryAccounts, Standing
from orchestrator.models.money.calendar import Calendar

__all__ = ["Budget", "Budgets", "Reservation"]

Period = Literal["call", "day", "month", "total"]
_PERIODS: tuple[Period, ...] = ("call", "day", "month", "total")
_EVERYBODY = "*"
_ROUNDING_USD = 1e-12
_NOTHING = Standing(0.0, 0.0)
_MOST_PURVIEWS = 4096


@dataclass(frozen=True, slots=True)
class Budget:
    """One limit in USD: a call, a day, a month or in total; of everybody together (None) or of one tenant."""

    limit_usd: float
    period: Period
    tenant: str | None = None

    @property
    def words(self) -> str:
        """How messages and dashboards name it."""
        whose = "" if self.tenant is None else f" of tenant {self.tenant!r}"
        return f"the budget{whose} {'in total' if self.period == 'total' else f'a {self.period}'}"


class Budgets:
    """Limits a call, a day, a month and in total, for everybody together and for tenants, kept by reserve-then-settle.

    `tenants` maps a name, or `"*"` for each tenant without an entry of its own, to the same four keywords. Days and
    months begin at midnight in `timezone`. A model without a known price is refused unless `allow_unpriced`. What was
    spent outlives the process when `accounts` do; a registry whose usage has a path brings such along.

    >>> budgets = Budgets(day_usd=1.00, tenants={"acme": {"day_usd": 0.10}})
    >>> budgets.reserve("m", 0.08, tenant="acme").settle(0.06)
    >>> round(budgets.left_usd("acme"), 2), round(budgets.left_usd(), 2)
    (0.04, 0.94)
    >>> budgets.reserve("m", 0.05, tenant="acme")
    Traceback (most recent call last):
    orchestrator.errors.BudgetExceededError: 'm' may cost $0.05, and of the budget of tenant 'acme' a day ($0.1) ...
    """

    def __init__(
        self,
        *,
        call_usd: float | None = None,
        day_usd: float | None = None,
        month_usd: float | None = None,
        total_usd: float | None = None,
        tenants: Mapping[str, Mapping[str, float | None]] | None = None,
        timezone: str = "UTC",
        allow_unpriced: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        accounts: Accounts | None = None,
    ) -> None:
        mine = {"call_usd": call_usd, "day_usd": day_usd, "month_usd": month_usd, "total_usd": total_usd}
        self._common = _limits(None, mine)
        if tenants is not None and not isinstance(tenants, Mapping):
            raise ConfigurationError("budgets tenants: give a mapping of names and their limits")
        self._tenants = self._told = {name: _limits(name, limits) for name, limits in (tenants or {}).items()}
        self._besides: dict[object, Mapping[str, tuple[Budget, ...]]] = {}
        self.allow_unpriced = allow_unpriced
        self.accounts: Accounts = MemoryAccounts() if accounts is None else accounts
        self._homeless = accounts is None
        self._calendar = Calendar(clock, timezone)
        self._page: date | None = None
        self._purviews: dict[str | None, _Purview] = {}

    @classmethod
    def of(cls, budgets: Budgets | Mapping[str, Any], *, clock: Clock, accounts: Accounts) -> Budgets:
        """Budgets from a mapping with the constructor's names, or as they are, in these accounts if they have none."""
        if isinstance(budgets, Budgets):
            if budgets._homeless:  # noqa: SLF001 - our own class
                budgets.accounts, budgets._homeless = accounts, False  # noqa: SLF001 - likewise
            return budgets
        known = ("call_usd", "day_usd", "month_usd", "total_usd", "tenants", "timezone", "allow_unpriced")
        for name in budgets:
            if name not in known:
                raise ConfigurationError(f"budgets have no {name!r}; {did_you_mean(str(name), known)}")
        return cls(**budgets, clock=clock, accounts=accounts)

    def limit_tenant(self, tenant: str, limits: Mapping[str, float]) -> None:
        """Bind one tenant more: of two limits on the same period the tighter one holds."""
        self._told = {**self._told, tenant: self._tightest(tenant, _limits(tenant, limits))}
        self._bind()

    def limit_tenants(self, tenants: Mapping[str, Mapping[str, float]], *, by: object) -> None:
        """Bind these besides, and no longer what was bound `by` the same before; what was spent still counts."""
        self._besides[by] = {tenant: _limits(tenant, limits) for tenant, limits in tenants.items()}
        self._bind()

    def _bind(self) -> None:
        more: dict[str, tuple[Budget, ...]] = {}
        for besides in self._besides.values():
            for tenant, budgets in besides.items():
                more[tenant] = (*more.get(tenant, ()), *budgets)
        self._tenants = {**self._told, **{tenant: self._tightest(tenant, budgets) for tenant, budgets in more.items()}}
        self._purviews.clear()

    def _tightest(self, tenant: str, more: tuple[Budget, ...]) -> tuple[Budget, ...]:
        both = (*self._told.get(tenant, self._told.get(_EVERYBODY, ())), *more)
        tightest = {budget.period: budget for budget in sorted(both, key=lambda budget: -budget.limit_usd)}
        return tuple(replace(budget, tenant=tenant) for budget in tightest.values())

    # the verbs of a call

    def reserve(
        self, model_id: str, estimate_usd: float | None, *, tenant: str | None = None, before_usd: float = 0.0
    ) -> Reservation:
        """Set the estimate aside in every budget concerned, or raise BudgetExceededError and change nothing.

        None is an unknown price. `before_usd` is what earlier attempts for the same request have cost.
        """
        purview = self._of(tenant)
        if estimate_usd is None or purview.calls:
            refusal = self._refusal_of(purview, model_id, estimate_usd, before_usd)
            if refusal is not None:
                raise refusal
        if estimate_usd:  # what is free fits an empty purse
            refused = self.accounts.reserve(purview.holds, estimate_usd)
            if refused is not None:
                budget = purview.accounts[refused]
                raise self._error(model_id, estimate_usd, budget, self.accounts.standing(refused))
        return Reservation(self.accounts, purview.names, estimate_usd or 0.0)

    def refusal(
        self, model_id: str, estimate_usd: float | None, *, tenant: str | None = None, before_usd: float = 0.0
    ) -> BudgetExceededError | None:
        """What `reserve` would raise now, or None; nothing is set aside."""
        return self._refusal_of(self._of(tenant), model_id, estimate_usd, before_usd)

    def now_s(self) -> float:
        """Seconds since 1970, by the clock that days and months are counted by."""
        return self._calendar.now_s()

    def left_usd(self, tenant: str | None = None) -> float:
        """USD that one more call may cost; infinite where nothing limits it."""
        purview = self._of(tenant)
        left = [budget.limit_usd for budget in purview.calls]
        left += [_left(budget, self.accounts.standing(name)) for name, budget in purview.accounts.items()]
        return min(left, default=inf)

    def snapshot(self) -> list[dict[str, Any]]:
        """Every budget as it stands: tenant, period, limit, spent, reserved and left in USD, and when it resets.

        Of `"*"`, the tenants that have spent something.
        """
        rows = [row for budget in self._common for row in self._rows(budget)]
        return rows + [row for limits in self._tenants.values() for budget in limits for row in self._rows(budget)]

    # inside

    def _of(self, tenant: str | None) -> _Purview:
        """The budgets that a call of this tenant touches, with their accounts of today."""
        if self._page is not self._calendar.today():
            self._turn_page()
        purview = self._purviews.get(tenant)
        if purview is None:
            if len(self._purviews) >= _MOST_PURVIEWS:
                self._purviews.clear()
            purview = self._purviews[tenant] = self._purview(tenant)
        return purview

    def _purview(self, tenant: str | None) -> _Purview:
        own = () if tenant is None else self._tenants.get(tenant)
        if own is None:
            own = tuple(Budget(b.limit_usd, b.period, tenant) for b in self._tenants.get(_EVERYBODY, ()))
        budgets = (*self._common, *own)
        accounts = {self._account(budget): budget for budget in budgets if budget.period != "call"}
        return _Purview(
            tuple(budget for budget in budgets if budget.period == "call"),
            accounts,
            tuple(Hold(name, budget.limit_usd) for name, budget in accounts.items()),
            tuple(accounts),
        )

    def _refusal_of(
        self, purview: _Purview, model_id: str, estimate_usd: float | None, before_usd: float
    ) -> BudgetExceededError | None:
        touched = [(budget, Standing(before_usd, 0.0)) for budget in purview.calls]
        touched += [(budget, self.accounts.standing(name)) for name, budget in purview.accounts.items()]
        if estimate_usd is None and touched and not self.allow_unpriced:
            return BudgetExceededError(
                f"the price of {model_id!r} is unknown, so no budget can be kept: set its cost=, or allow_unpriced"
            )
        for budget, standing in touched:
            left_usd = _left(budget, standing)
            if left_usd <= 0 if estimate_usd is None else estimate_usd > left_usd + _ROUNDING_USD * bool(left_usd):
                return self._error(model_id, estimate_usd, budget, standing)
        return None

    def _standing(self, budget: Budget) -> Standing:
        return _NOTHING if budget.period == "call" else self.accounts.standing(self._account(budget))

    def _account(self, budget: Budget) -> str:
        """The account of this budget now: a new period is a new account."""
        period = self._calendar.name_of(budget.period)
        return period if budget.tenant is None else f"{period} {budget.tenant}"

    def _turn_page(self) -> None:
        """A new day: the accounts of periods that are over are closed."""
        self._page = self._calendar.today()
        self._purviews.clear()
        self.accounts.keep([self._calendar.name_of(period) for period in _PERIODS if period != "call"])

    def _error(self, model_id: str, usd: float | None, budget: Budget, standing: Standing) -> BudgetExceededError:
        left = _left(budget, standing)
        resets_at = self._calendar.end_of(budget.period)
        asked = f"the price of {model_id!r} is unknown" if usd is None else f"{model_id!r} may cost ${usd:.6g}"
        until = f"; it resets at {resets_at.isoformat()}" if resets_at is not None else ""
        return BudgetExceededError(
            f"{asked}, and of {budget.words} (${budget.limit_usd:g}) ${left:.6g} is left{until}",
            limit_usd=budget.limit_usd,
            spent_usd=standing.spent_usd,
            reserved_usd=standing.reserved_usd,
            resets_in_s=None if resets_at is None else max(0.0, resets_at.timestamp() - self._calendar.now_s()),
            resets_at=resets_at,
        )

    def _rows(self, budget: Budget) -> list[dict[str, Any]]:
        if budget.tenant == _EVERYBODY and budget.period != "call":
            start = f"{self._calendar.name_of(budget.period)} "
            names = (name.removeprefix(start) for name in self.accounts.names() if name.startswith(start))
            seen = [name for name in names if name not in self._tenants]
            return [self._row(Budget(budget.limit_usd, budget.period, name)) for name in sorted(seen)]
        return [self._row(budget)]

    def _row(self, budget: Budget) -> dict[str, Any]:
        standing = self._standing(budget)
        resets_at: datetime | None = self._calendar.end_of(budget.period)
        return {
            "tenant": budget.tenant,
            "period": budget.period,
            "limit_usd": budget.limit_usd,
            "spent_usd": standing.spent_usd,
            "reserved_usd": standing.reserved_usd,
            "left_usd": _left(budget, standing),
            "resets_at": None if resets_at is None else resets_at.isoformat(),
        }


class _Purview(NamedTuple):
    """What concerns the calls of one tenant today: limits of a call, and the other budgets by account."""

    calls: tuple[Budget, ...]
    accounts: dict[str, Budget]
    holds: tuple[Hold, ...]
    names: tuple[str, ...]


def _left(budget: Budget, standing: Standing) -> float:
    return max(0.0, budget.limit_usd - standing.spent_usd - standing.reserved_usd)


class Reservation:
    """Money set aside for one attempt; settled or released once, whatever comes first."""

    __slots__ = ("_accounts", "_names", "_open", "usd")

    def __init__(self, accounts: Accounts, names: tuple[str, ...], usd: float) -> None:
        self.usd = usd
        self._accounts = accounts
        self._names = names
        self._open = True

    def settle(self, actual_usd: float | None) -> None:
        """Book what the attempt did cost; where that is unknown, or no amount of money, what was set aside."""
        if actual_usd is None or not 0.0 <= actual_usd < inf:
            actual_usd = self.usd
        self._close(actual_usd)

    def release(self) -> None:
        """Nothing was billed."""
        self._close(0.0)

    def _close(self, actual_usd: float) -> None:
        if self._open:
            self._open = False
            if self.usd or actual_usd:
                self._accounts.settle(self._names, self.usd, actual_usd)


def _limits(tenant: str | None, limits: Mapping[str, float | None]) -> tuple[Budget, ...]:
    """Budgets from keywords such as `day_usd`."""
    known = {f"{period}_usd": period for period in _PERIODS}
    if not isinstance(limits, Mapping):
        raise ConfigurationError(f"budgets of tenant {tenant!r}: give a mapping such as {{'day_usd': 5}}")
    for name, usd in limits.items():
        if name not in known:
            raise ConfigurationError(f"budgets have no {name!r}; {did_you_mean(name, tuple(known))}")
        if usd is not None and (type(usd) not in (int, float) or not 0 <= usd < inf):
            raise ConfigurationError(f"budget {name}={usd!r}: give a number of US dollars from 0 up, or leave it out")
    return tuple(
        Budget(float(usd), period, tenant) for name, period in known.items() if (usd := limits.get(name)) is not None
    )
