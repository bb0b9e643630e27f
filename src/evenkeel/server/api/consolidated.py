"""Many accounts as one: the summary of a person's accounts, their positions merged, the platform's totals, and the
exchange rates that totals are converted with.
"""

import time
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from msgspec import Meta, Struct

from evenkeel.desk.consolidated import Account, Whole, in_currency, merged, today_of, together
from evenkeel.desk.permissions import Permission
from evenkeel.desk.platform import platform
from evenkeel.domain import clock
from evenkeel.domain.accounts import AccountMode
from evenkeel.domain.commands import SetFxRates
from evenkeel.domain.fx import FxRate, RateSource
from evenkeel.domain.money import CURRENCIES
from evenkeel.server import consolidated as shown
from evenkeel.server import schemas as s
from evenkeel.server import wire
from evenkeel.server.account_scope import AccountsFilter, chosen
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.requests import Currency, Name, NoQuery, Positive, Reference
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.state import AccountState

_PATH = f"{PREFIX}/portfolio"
_DAY = Meta(min_length=10, max_length=10, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)", description="YYYY-MM-DD")
MOST = 5_000


class ConsolidatedQuery(Struct, forbid_unknown_fields=True):
    """Accounts that fit everything given, in use or not; totals in `currency`, else in your base currency."""

    currency: Currency | None = None
    group: Name | None = None
    label: Name | None = None
    mode: AccountMode | None = None
    account_id: Reference | None = None
    active: bool | None = None

    def filter(self) -> AccountsFilter:
        return AccountsFilter(self.group, self.label, self.mode, self.account_id, self.active)


class PlatformQuery(Struct, forbid_unknown_fields=True):
    currency: Currency | None = None


class BaseCurrency(Struct, forbid_unknown_fields=True):
    currency: Currency


class NewRate(Struct, forbid_unknown_fields=True):
    """On `date`, one unit of `base` was worth `rate` units of `quote`."""

    base: Currency
    quote: Currency
    date: Annotated[str, _DAY]
    rate: Positive


class NewRates(Struct, forbid_unknown_fields=True):
    rates: Annotated[list[NewRate], Meta(min_length=1, max_length=MOST, description=f"1 to {MOST} rates")]
    source: RateSource = RateSource.HAND


class RatesTaken(Struct):
    taken: int


class PlatformOut(Struct):
    """Sums over all accounts of everybody, from totals kept behind the journal: `lag` records are not in them yet.
    `unpriced` instruments have no last price and are valued at cost."""

    as_of: s.Moment
    lag: int
    base_currency: str
    users: int
    active_accounts: int
    unpriced: int
    total: shown.TotalOut
    by_currency: list[shown.FiguresOut]
    rates: list[shown.RateUsedOut]


def _currency(parts: AppParts, seen: Tenant, *, asked: str | None, accounts: list[AccountState]) -> str:
    """The one asked for, else the person's own, else that of their first account. Raises InvalidInput."""
    if asked is not None and asked not in CURRENCIES:
        fields = wire.Fields()
        fields.fault("currency", f"no currency is called {asked}; USD, EUR, INR and BTC are some")
        fields.check("the query is not valid")
    return asked or parts.directory.currency(seen.user.id, accounts)


async def get_summary(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Your accounts, each with its figures, their sums by currency, and the total in your base currency with the rates
    it was converted at. What no rate leads to is named, and not in the total."""
    query = wire.query(request, ConsolidatedQuery)
    accounts = chosen(seen, parts.directory, wanted=query.filter())
    whole, rows, common = _common(parts, seen, asked=query.currency, accounts=accounts)
    return wire.Json(shown.SummaryOut(**common, accounts=_lines(parts, seen, rows=rows, whole=whole)))


async def get_consolidated(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """All that your accounts hold as if they were one: positions merged by instrument with each account's part, cash by
    currency, equity, the day's result and exposure, valued at the last prices."""
    query = wire.query(request, ConsolidatedQuery)
    accounts = chosen(seen, parts.directory, wanted=query.filter())
    whole, rows, common = _common(parts, seen, asked=query.currency, accounts=accounts)
    answer = shown.ConsolidatedOut(
        **common,
        cash=shown.cash_out(rows, whole),
        positions=shown.merged_out(seen.state, merged(seen.state, rows), whole=whole),
        accounts=_lines(parts, seen, rows=rows, whole=whole),
    )
    return wire.Json(answer)


def _common(
    parts: AppParts, seen: Tenant, *, asked: str | None, accounts: list[AccountState]
) -> tuple[Whole, list[Account], dict[str, Any]]:
    """What every view of many accounts begins with."""
    state, currency = seen.state, _currency(parts, seen, asked=asked, accounts=accounts)
    rows, whole = together(state, accounts, currency)
    return whole, rows, {
        "as_of": clock.iso(state.time),
        "base_currency": currency,
        "total": shown.total_out(whole),
        "by_currency": [shown.figures_out(name, figures) for name, figures in whole.sums.items()],
        "rates": shown.rates_used(whole, today_of(state)),
    }  # fmt: skip


def _lines(parts: AppParts, seen: Tenant, *, rows: list[Account], whole: Whole) -> list[shown.AccountLine]:
    """One line an account; what its owner says of it is for its owner."""
    said, lines = parts.directory, list[shown.AccountLine]()
    for one in rows:
        is_own, name = one.held.account.user_id == seen.user.id, one.held.account.id
        groups = [group.name for group in said.groups_of(name) if group.user_id == seen.user.id]
        labels = said.labels(name) if is_own else ()
        lines.append(shown.account_line(one, whole, labels=labels, groups=groups))
    return lines


async def get_platform(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Sums over everybody's accounts, for administrators: nothing of it is one person's."""
    query = wire.query(request, PlatformQuery)
    seen.require_admin()
    seen.require_everything()
    state = seen.state
    totals, instruments = await parts.totals.platform()
    found, today = platform(state, totals, instruments=instruments), today_of(state)
    currency = _currency(parts, seen, asked=query.currency, accounts=list(seen.accounts()))
    whole = in_currency(found.by_currency, currency, rates=state.rates, today=today)
    answer = PlatformOut(
        as_of=clock.iso(state.time),
        lag=await parts.history.lag(),
        base_currency=currency,
        users=len({held.account.user_id for held in state.accounts.values()}),
        active_accounts=sum(found.active.values()),
        unpriced=found.unpriced,
        total=shown.total_out(whole),
        by_currency=[shown.figures_out(name, figures) for name, figures in sorted(found.by_currency.items())],
        rates=shown.rates_used(whole, today),
    )
    return wire.Json(answer)


async def get_base_currency(seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """The currency in which your totals are shown."""
    return wire.Json(BaseCurrency(_currency(parts, seen, asked=None, accounts=list(seen.accounts()))))


async def set_base_currency(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Sets the currency in which your totals are shown."""
    given = await wire.body(request, BaseCurrency)
    await parts.directory.set_currency(seen.user.id, given.currency)
    return wire.Json(given)


async def list_rates(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """The newest exchange rate of every pair that has one."""
    wire.query(request, NoQuery)
    return wire.Json(s.Page([shown.rate_out(one) for _, one in sorted(seen.state.rates.items())]))


async def set_rates(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Records exchange rates, each of a pair and a day: all of them or none. They are everybody's here, and stay."""
    given = await wire.body(request, NewRates, most=wire.MAX_MANY)
    fields = wire.Fields()
    rates = tuple(_read(one, given.source, fields=fields, at=f"rates.{place}") for place, one in enumerate(given.rates))
    if given.source is RateSource.FEED:
        fields.fault("source", "must be one of import, hand: those of the feed are recorded by themselves")
    fields.check("the rates are not valid")
    await parts.runner.submit(SetFxRates(rates=rates, provenance=seen.provenance(time.time_ns())))
    return wire.Json(RatesTaken(len(rates)), 201)


def _read(one: NewRate, source: RateSource, *, fields: wire.Fields, at: str) -> FxRate:
    rate = fields.number(f"{at}.rate", one.rate)
    try:
        day = date.fromisoformat(one.date)
    except ValueError:
        fields.fault(f"{at}.date", f"{one.date} is no day of the calendar")
        day = date.min
    return FxRate(one.base, one.quote, day, rate or Decimal(1), source)


ENDPOINTS = (
    Endpoint(method="GET", path=f"{PREFIX}/accounts/summary", handler=get_summary, summary="Accounts summed up",
             tag="accounts", query=ConsolidatedQuery, answers={200: shown.SummaryOut}, errors=(404,),
             needs=Permission.READ),
    Endpoint(method="GET", path=f"{_PATH}/consolidated", handler=get_consolidated, summary="All accounts as one",
             tag="portfolio", query=ConsolidatedQuery, answers={200: shown.ConsolidatedOut}, errors=(404,),
             needs=Permission.READ),
    Endpoint(method="GET", path=f"{_PATH}/platform", handler=get_platform, summary="The platform's totals",
             tag="portfolio", query=PlatformQuery, answers={200: PlatformOut}, errors=(403,), needs=Permission.ADMIN,
             projected=True),
    Endpoint(method="GET", path=f"{_PATH}/base-currency", handler=get_base_currency, summary="Your base currency",
             tag="portfolio", answers={200: BaseCurrency}, needs=Permission.READ),
    Endpoint(method="PUT", path=f"{_PATH}/base-currency", handler=set_base_currency, summary="Set your base currency",
             tag="portfolio", body=BaseCurrency, answers={200: BaseCurrency}, needs=Permission.MANAGE),
    Endpoint(method="GET", path=f"{_PATH}/rates", handler=list_rates, summary="Exchange rates", tag="portfolio",
             query=NoQuery, answers={200: s.Page[shown.FxRateOut]}, needs=Permission.READ),
    Endpoint(method="POST", path=f"{_PATH}/rates", handler=set_rates, summary="Record exchange rates",
             tag="portfolio", body=NewRates, answers={201: RatesTaken}, errors=(403,), needs=Permission.ADMIN),
)  # fmt: skip
