"""Tax settings, lots, gains, and the tax of a planned rebalance, as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.desk.taxes.books import Settings
from evenkeel.desk.taxes.plans import PlanTax, TradeTax, first_long_day, tax_of
from evenkeel.domain.lots import Closing, Lot
from evenkeel.domain.money import ZERO, add, minor_unit, mul, plain, ratio, rounded, sub
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.taxes import BEGINNING, LONG_AFTER, UNTOLD, LotMethod, TaxSetting, TaxStatus, in_force
from evenkeel.domain.washes import WashSale
from evenkeel.server import views
from evenkeel.server.requests import END, Name, Reference, Share, Symbol
from evenkeel.server.schemas import Amount, Day, Id
from evenkeel.server.scope import Tenant
from evenkeel.server.washes import WashOut, WashPurchaseOut, purchases_out, washes_out
from evenkeel.trading.engine.state import State

MOST_DAYS = 365
Term = Literal["short", "long"]
_DAY = Meta(pattern=rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{END}", description="a date such as 2024-01-31")
_STEP = Decimal("0.00000001")


class TaxIn(Struct, forbid_unknown_fields=True):
    """`short` and `long` are shares of a gain: of one held for `days` or less, and for longer. Without `since`, an
    account's first terms hold from its beginning, and later ones from today; what was set from there on is replaced."""

    status: TaxStatus = TaxStatus.TAXABLE
    short: Share = field(default_factory=lambda: Raw(b"0"))
    long: Share = field(default_factory=lambda: Raw(b"0"))
    days: Annotated[int, Meta(ge=0, le=36_500, description="0 to 36500 days")] = LONG_AFTER
    method: LotMethod = LotMethod.FIFO
    since: Annotated[str, _DAY] | None = None


class TermsOut(Struct):
    """`since` null: from the beginning."""

    since: Day | None
    status: TaxStatus
    short: Amount
    long: Amount
    days: int
    method: LotMethod


class TaxOut(Struct):
    """The terms in force, and all that were set, the earliest first. Where none are, `is_set` is false: the oldest lots
    go first, and no tax is worked out."""

    account_id: Id
    is_set: bool
    now: TermsOut
    settings: list[TermsOut]


Year = Annotated[int, Meta(ge=1970, le=9999, description="a year such as 2024")]
WashDays = Annotated[int, Meta(ge=0, le=MOST_DAYS, description=f"0 to {MOST_DAYS} days")]


class LotsQuery(Struct, forbid_unknown_fields=True):
    """With `method`, what the lots would be by another one than the account's."""

    account_id: Reference | None = None
    group: Name | None = None
    portfolio_id: Reference | None = None
    symbol: Symbol | None = None
    method: LotMethod | None = None


class GainsQuery(Struct, forbid_unknown_fields=True):
    """Of this `year`, in the days of each account; without one, of the present year. `limit` is on the items, not on
    the totals."""

    account_id: Reference | None = None
    group: Name | None = None
    portfolio_id: Reference | None = None
    symbol: Symbol | None = None
    method: LotMethod | None = None
    year: Year | None = None
    wash_days: WashDays = 30
    limit: Annotated[int, Meta(ge=1, le=100_000, description="1 to 100000")] = 5_000


class LotOut(Struct):
    """What is left of a purchase (a short: below zero), at the last price; the id is that of its fill. `cost` is with
    charges; `tax` is what a sale of it now would be taxed, below zero for a loss; null where no terms are set, or no
    price is known. `long_from` is the first day on which a gain is long-term; null for a short."""

    id: Id
    account_id: Id
    book: str
    symbol: str
    currency: str
    opened: Day
    days: int
    quantity: Amount
    cost: Amount
    unit_cost: Amount
    price: Amount | None
    value: Amount | None
    gain: Amount | None
    term: Term
    long_from: Day | None
    days_to_long: int | None
    tax: Amount | None
    order_id: str | None


class GainOut(Struct):
    """What a sale has closed of a lot. `cost` and `proceeds` are with charges. `at_risk` is the part of a loss that a
    purchase of the same within the days before or after may keep from counting: a warning, and no tax advice. It is
    null where another method than the accounts' own is asked about: of that it is not worked out."""

    account_id: Id
    book: str
    symbol: str
    currency: str
    opened: Day
    closed: Day
    days: int
    quantity: Amount
    cost: Amount
    proceeds: Amount
    gain: Amount
    term: Term
    tax: Amount | None
    at_risk: Amount | None
    wash_purchases: list[WashPurchaseOut]
    order_id: str | None


class GainTotalOut(Struct):
    """The sums of one currency. `tax` is without accounts whose terms are not set, and below zero where losses are
    more: they count as if there were gains to set them against. `at_risk` is null where that of the items is."""

    currency: str
    short: Amount
    long: Amount
    gain: Amount
    tax: Amount
    at_risk: Amount | None


class GainsReport(Struct):
    """The newest first. `untold` are accounts with gains for which no terms are set."""

    year: int
    wash_days: int
    items: list[GainOut]
    totals: list[GainTotalOut]
    untold: list[Id]
    note: str


NOTE = "Worked out from the desk's own books. A wash sale is a warning, and none of this is tax advice."


class YieldIn(Struct, forbid_unknown_fields=True):
    """What an instrument is expected to pay in a year, as a share of its price."""

    symbol: Symbol
    share: Share
    venue: Symbol | None = None


class TradeTaxOut(Struct):
    """What one planned trade realises; `tax` null where no terms are set for the account."""

    account_id: Id
    symbol: str
    method: LotMethod
    short: Amount
    long: Amount
    tax: Amount | None


class PlanTaxOut(Struct):
    """Gains that a plan realises by term, the tax on them, and its wash sales within the days: a warning, and no tax
    advice. Accounts in `untold` have no terms, and are not in `tax`."""

    short: Amount
    long: Amount
    tax: Amount
    trades: list[TradeTaxOut]
    wash_days: int
    wash_sales: list[WashOut]
    untold: list[Id]


def taxes_of(seen: Tenant, directory: AccountDirectory) -> dict[str, Settings]:
    """The settings of each account that is there for whoever asks: what its owner says of a shared one is theirs."""
    return {
        held.account.id: directory.taxes(held.account.id) if held.account.user_id == seen.user.id else ()
        for held in seen.accounts()
    }


def tax_out(account_id: str, settings: Settings, *, today: date) -> TaxOut:
    now = in_force(settings, today)
    shown = TaxSetting(account_id, "", BEGINNING, now or UNTOLD)
    return TaxOut(account_id, now is not None, _terms(shown), [_terms(one) for one in settings])


def _terms(one: TaxSetting) -> TermsOut:
    since, terms = None if one.since == BEGINNING else one.since.isoformat(), one.terms
    return TermsOut(since, terms.status, views.text(terms.short), views.text(terms.long), terms.days, terms.method)


def lot_out(state: State, key: PositionKey, lot: Lot, settings: Settings) -> LotOut:
    instrument, day = state.instruments[key.instrument_id], state.accounts[key.account_id].day
    mark, told = state.mark(key.instrument_id), in_force(settings, day)
    terms = told or UNTOLD
    is_long = lot.is_long_term(day, terms)
    value = None if mark is None else state.notional(key.instrument_id, lot.quantity, mark)
    gain = None if value is None else sub(value, lot.basis)
    tax = None if gain is None or told is None else mul(gain, told.rate(long=is_long))
    first = first_long_day(lot.opened, terms.days) if lot.quantity > 0 else None
    return LotOut(
        id=lot.id or f"{views.position_id(key)}:{lot.opened}",
        account_id=key.account_id,
        book=key.book,
        symbol=instrument.symbol,
        currency=instrument.currency,
        opened=lot.opened.isoformat(),
        days=(day - lot.opened).days,
        quantity=plain(lot.quantity),
        cost=plain(lot.basis),
        unit_cost=plain(rounded(ratio(lot.basis, mul(lot.quantity, instrument.multiplier)), _STEP)),
        price=views.maybe(mark),
        value=views.maybe(value),
        gain=None if gain is None else plain(gain),
        term=term_of(is_long),
        long_from=None if first is None else first.isoformat(),
        days_to_long=None if first is None else max(0, (first - day).days),
        tax=None if tax is None else views.text(rounded(tax, minor_unit(instrument.currency))),
        order_id=lot.origin or None,
    )


def term_of(is_long: bool) -> Term:
    return "long" if is_long else "short"


class Realised(Struct):
    """A closing with where it was, its tax, and the wash sale that it is."""

    key: PositionKey
    closing: Closing
    tax: Decimal | None
    wash: WashSale | None = None


def realised(key: PositionKey, closing: Closing, *, settings: Settings, currency: str) -> Realised:
    tax = tax_of(closing, settings)
    return Realised(key, closing, None if tax is None else rounded(tax, minor_unit(currency)))


def gain_out(state: State, one: Realised, *, washed: bool = True) -> GainOut:
    """`washed`: wash sales were looked for."""
    instrument, closing = state.instruments[one.key.instrument_id], one.closing
    return GainOut(
        account_id=one.key.account_id,
        book=one.key.book,
        symbol=instrument.symbol,
        currency=instrument.currency,
        opened=closing.opened.isoformat(),
        closed=closing.closed.isoformat(),
        days=(closing.closed - closing.opened).days,
        quantity=plain(closing.quantity),
        cost=plain(closing.basis),
        proceeds=plain(closing.proceeds),
        gain=plain(closing.gain),
        term=term_of(closing.is_long_term),
        tax=views.maybe(one.tax),
        at_risk=plain(_at_risk(state, one)) if washed else None,
        wash_purchases=[] if one.wash is None else purchases_out(one.wash.purchases),
        order_id=closing.by or None,
    )


def _at_risk(state: State, one: Realised) -> Decimal:
    """What a wash sale may keep from counting, to the minor unit."""
    currency = state.instruments[one.key.instrument_id].currency
    return ZERO if one.wash is None else rounded(one.wash.at_risk, minor_unit(currency))


def totals_of(state: State, found: Sequence[Realised], *, washed: bool = True) -> list[GainTotalOut]:
    sums: dict[str, dict[str, Decimal]] = {}
    for one in found:
        currency = state.instruments[one.key.instrument_id].currency
        mine = sums.setdefault(currency, dict.fromkeys(("short", "long", "gain", "tax", "at_risk"), ZERO))
        parts = {term_of(one.closing.is_long_term): one.closing.gain, "gain": one.closing.gain}
        parts |= {"tax": one.tax or ZERO, "at_risk": _at_risk(state, one)}
        for name, amount in parts.items():
            mine[name] = add(mine[name], amount)
    return [
        GainTotalOut(
            currency=currency,
            short=plain(mine["short"]),
            long=plain(mine["long"]),
            gain=plain(mine["gain"]),
            tax=plain(mine["tax"]),
            at_risk=plain(mine["at_risk"]) if washed else None,
        )
        for currency, mine in sorted(sums.items())
    ]


def plan_tax_out(state: State, found: PlanTax, taxes: Mapping[str, Settings]) -> PlanTaxOut:
    return PlanTaxOut(
        short=plain(found.short),
        long=plain(found.long),
        tax=plain(found.tax),
        trades=[_trade(state, one, taxes) for one in found.trades],
        wash_days=found.days,
        wash_sales=washes_out(state, found.washes),
        untold=list(found.untold),
    )


def _trade(state: State, one: TradeTax, taxes: Mapping[str, Settings]) -> TradeTaxOut:
    account_id = one.trade.account_id
    terms = in_force(taxes.get(account_id, ()), state.accounts[account_id].day) or UNTOLD
    symbol = state.instruments[one.trade.instrument_id].symbol
    short, long = plain(one.short), plain(one.long)
    tax = None if one.tax is None else plain(one.tax)
    return TradeTaxOut(account_id, symbol, terms.method, short, long, tax)
