"""What the API says of many accounts as one: positions merged, figures by currency, and totals with the rates used."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from evenkeel.desk.consolidated import FIGURES, Account, Figures, Merged, Part, Whole, is_stale
from evenkeel.domain.accounts import AccountMode, Readiness
from evenkeel.domain.fx import Conversion, FxRate, RateSource
from evenkeel.domain.money import ZERO, add, plain, ratio, rounded, sub
from evenkeel.server.schemas import Amount, Day, Id, Moment
from evenkeel.server.views import maybe, text
from evenkeel.trading.engine.state import State

_STEP = Decimal("0.00000001")


class RateUsedOut(Struct):
    """How amounts of `currency` were converted: the rate, its day and its age in days. `rate` is null where none is
    known; `via` is the currency between two rates; a `stale` one is older than four days."""

    currency: str
    rate: Amount | None
    date: Day | None
    age_days: int | None
    stale: bool
    sources: list[RateSource]
    via: str | None


class FiguresOut(Struct):
    """`long` and `short` are market values without sign, `gross` their sum and `net` their difference. `day_pnl` is
    null in the platform's totals: every account has a day of its own, and they keep none of them."""

    currency: str
    accounts: int
    positions: int
    cash: Amount
    equity: Amount
    long: Amount
    short: Amount
    gross: Amount
    net: Amount
    day_pnl: Amount | None
    realised: Amount
    unrealised: Amount
    contributed: Amount


class TotalOut(FiguresOut):
    """In the base currency. What is in the currencies of `left_out` is not in it, since no rate leads there; what is in
    those of `stale` was converted at an old one."""

    is_complete: bool
    left_out: list[str]
    stale: list[str]


class AccountLine(Struct):
    """One account in its own currency. `share` is its part of the total's equity, null without a rate."""

    id: Id
    name: str
    mode: AccountMode
    currency: str
    is_active: bool
    readiness: Readiness
    labels: list[str]
    groups: list[str]
    cash: Amount
    equity: Amount
    day_pnl: Amount
    unrealised: Amount
    positions: int
    share: Amount | None


class HeldPartOut(Struct):
    account_id: Id
    quantity: Amount
    total_cost: Amount
    market_value: Amount
    unrealised: Amount
    realised: Amount


class MergedOut(Struct):
    """An instrument over all accounts, in its currency; `base_value` is its market value in the base currency."""

    instrument_id: Id
    symbol: str
    venue: str
    currency: str
    quantity: Amount
    total_cost: Amount
    last_price: Amount | None
    market_value: Amount
    base_value: Amount | None
    unrealised: Amount
    realised: Amount
    accounts: list[HeldPartOut]


class CashOut(Struct):
    currency: str
    amount: Amount
    base_amount: Amount | None


class SummaryOut(Struct):
    """Accounts, their sums by currency, and the total in the base currency at `as_of`, which is engine time."""

    as_of: Moment
    base_currency: str
    total: TotalOut
    by_currency: list[FiguresOut]
    rates: list[RateUsedOut]
    accounts: list[AccountLine]


class ConsolidatedOut(Struct):
    as_of: Moment
    base_currency: str
    total: TotalOut
    by_currency: list[FiguresOut]
    rates: list[RateUsedOut]
    cash: list[CashOut]
    positions: list[MergedOut]
    accounts: list[AccountLine]


class FxRateOut(Struct):
    """On `date`, one unit of `base` was worth `rate` units of `quote`."""

    id: str
    base: str
    quote: str
    date: Day
    rate: Amount
    source: RateSource


def rate_out(one: FxRate) -> FxRateOut:
    return FxRateOut(f"{one.base}-{one.quote}", one.base, one.quote, one.day.isoformat(), plain(one.rate), one.source)


def figures_out(currency: str, figures: Figures) -> FiguresOut:
    return FiguresOut(**_figures(currency, figures))


def _figures(currency: str, figures: Figures) -> dict[str, Any]:
    shown = {name: maybe(getattr(figures, name)) for name in (*FIGURES, "gross", "net")}
    return {"currency": currency, "accounts": figures.accounts, "positions": figures.positions, **shown}


def total_out(whole: Whole) -> TotalOut:
    return TotalOut(
        **_figures(whole.currency, whole.figures),
        is_complete=not whole.left_out,
        left_out=list(whole.left_out),
        stale=list(whole.stale),
    )


def rates_used(whole: Whole, today: date) -> list[RateUsedOut]:
    """One row a currency that is not the base's own."""
    return [_used(name, way, today=today) for name, way in whole.ways.items() if name != whole.currency]


def _used(currency: str, way: Conversion | None, *, today: date) -> RateUsedOut:
    if way is None or way.day is None:
        return RateUsedOut(currency, None, None, None, stale=False, sources=[], via=None)
    return RateUsedOut(
        currency,
        plain(rounded(way.rate, _STEP)) if way.rate >= 1 else plain(way.rate.normalize()),
        way.day.isoformat(),
        way.age(today),
        stale=is_stale(way, today),
        sources=list(dict.fromkeys(way.sources)),
        via=way.via,
    )


def account_line(one: Account, whole: Whole, *, labels: Iterable[str], groups: Iterable[str]) -> AccountLine:
    held, figures = one.held, one.figures
    this, way = held.account, whole.ways.get(held.account.currency)
    part = None if way is None else way.of(figures.equity, whole.currency)
    equity = whole.figures.equity
    return AccountLine(
        id=this.id,
        name=this.name,
        mode=this.mode,
        currency=this.currency,
        is_active=not held.retired,
        readiness=held.readiness,
        labels=list(labels),
        groups=list(groups),
        cash=text(figures.cash),
        equity=text(figures.equity),
        day_pnl=text(sub(figures.equity, held.day_start_equity)),
        unrealised=text(figures.unrealised),
        positions=figures.positions,
        share=None if part is None or not equity else text(rounded(ratio(part, equity), _STEP)),
    )


def merged_out(state: State, merged: Sequence[Merged], *, whole: Whole) -> list[MergedOut]:
    """By symbol."""
    shown = [_merged(state, one, whole=whole) for one in merged]
    return sorted(shown, key=lambda one: (one.symbol, one.venue))


def _merged(state: State, one: Merged, *, whole: Whole) -> MergedOut:
    instrument, sums, parts = state.instruments[one.instrument_id], one.whole, [_part(part) for part in one.parts]
    way, told = whole.ways.get(one.currency), parts[0] if len(parts) == 1 else _part(sums)
    return MergedOut(
        one.instrument_id,
        instrument.symbol,
        instrument.venue,
        one.currency,
        told.quantity,
        told.total_cost,
        maybe(one.price),
        told.market_value,
        None if way is None else text(way.of(sums.value, whole.currency)),
        told.unrealised,
        told.realised,
        parts,
    )


def _part(part: Part) -> HeldPartOut:
    return HeldPartOut(
        part.account_id,
        text(part.quantity),
        text(part.total_cost),
        text(part.value),
        text(part.unrealised),
        text(part.realised),
    )


def cash_out(accounts: Iterable[Account], whole: Whole) -> list[CashOut]:
    """Cash by currency; what no rate leads to has no base amount."""
    sums: dict[str, Decimal] = {}
    for one in accounts:
        for currency, amount in one.held.cash.items():
            sums[currency] = add(sums.get(currency, ZERO), amount)
    found = []
    for currency, amount in sorted(sums.items()):
        way = whole.ways.get(currency)
        base = None if way is None else text(way.of(amount, whole.currency))
        found.append(CashOut(currency, text(amount), base))
    return found
