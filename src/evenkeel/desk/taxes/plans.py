"""What the trades of a plan would realise, lot by lot, what of it would be tax, and which wash sales they would make.

Losses are counted at the rate of their term, as if there were gains to set them against. Nothing here is tax advice.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from evenkeel.desk.portfolios.rebalancing import Plan, charge_of
from evenkeel.desk.taxes.books import LotBooks, Settings
from evenkeel.desk.taxes.washing import counts, past
from evenkeel.domain.lots import Closing, Trade
from evenkeel.domain.money import ZERO, add, minor_unit, mul, rounded, total
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.rebalancing import PlannedTrade
from evenkeel.domain.taxes import in_force
from evenkeel.domain.washes import Loss, Purchase, WashSale, wash_sales
from evenkeel.trading.engine.state import State


class TradeTax(Struct, frozen=True):
    """What a trade closes: gains by term, and the tax on them; None where no terms are set for the account."""

    trade: PlannedTrade
    closings: tuple[Closing, ...]
    short: Decimal = ZERO
    long: Decimal = ZERO
    tax: Decimal | None = None


class PlannedWash(Struct, frozen=True):
    instrument_id: str
    wash: WashSale


class PlanTax(Struct, frozen=True):
    """The trades that close something, and the wash sales that the plan has a part in, by `days` before and after.

    `tax` is that of accounts whose terms are set, which leaves out those of `untold`.
    """

    trades: tuple[TradeTax, ...]
    washes: tuple[PlannedWash, ...]
    days: int
    untold: tuple[str, ...]

    @property
    def short(self) -> Decimal:
        return total([one.short for one in self.trades])

    @property
    def long(self) -> Decimal:
        return total([one.long for one in self.trades])

    @property
    def tax(self) -> Decimal:
        return total([one.tax for one in self.trades if one.tax is not None])


def tax_of(closing: Closing, settings: Settings) -> Decimal | None:
    """The tax on a closing by the terms of its day, exact; below zero for a loss; None where none are set."""
    terms = in_force(settings, closing.closed)
    return None if terms is None else mul(closing.gain, terms.rate(long=closing.is_long_term))


def plan_tax(state: State, books: LotBooks, plan: Plan, *, taxes: Mapping[str, Settings], days: int) -> PlanTax:
    """The tax of a plan, with its `books` followed. `taxes` are the settings of every account of the owner that may be
    looked into: purchases in all of them count."""
    trades = [_taxed(state, books, plan, trade, taxes=taxes) for trade in plan.trades]
    washes = [
        PlannedWash(name, wash)
        for name in dict.fromkeys(trade.instrument_id for trade in plan.trades)
        for wash in _washes(state, books, [one for one in trades if one.trade.instrument_id == name], taxes, days)
    ]
    realised = tuple(one for one in trades if one.closings)
    untold = dict.fromkeys(one.trade.account_id for one in realised if one.tax is None)
    return PlanTax(realised, tuple(washes), days, tuple(untold))


def _taxed(
    state: State, books: LotBooks, plan: Plan, trade: PlannedTrade, *, taxes: Mapping[str, Settings]
) -> TradeTax:
    account, settings = state.accounts[trade.account_id], taxes.get(trade.account_id, ())
    instrument, schedule = state.instruments[trade.instrument_id], state.find_schedule(account.account.costs)
    multiplier, charges = instrument.multiplier, ZERO
    if schedule.components:
        unit = mul(trade.price, multiplier)
        charges = charge_of(schedule, trade, unit=unit, lot=instrument.lot_size, pieces=plan.pieces)
    key = PositionKey(trade.account_id, plan.portfolio_id, trade.instrument_id)
    lots = books.lots(state, key, settings).copy()
    lots.trade(Trade(trade.quantity, trade.price, charges, account.day), multiplier)
    closings = tuple(lots.closed or ())
    short, long = (total([one.gain for one in closings if one.is_long_term is is_long]) for is_long in (False, True))
    parts = [tax_of(one, settings) for one in closings]
    known = [one for one in parts if one is not None]
    tax = rounded(total(known), minor_unit(account.account.currency)) if len(known) == len(parts) else None
    return TradeTax(trade, closings, short, long, tax)


def _washes(
    state: State, books: LotBooks, trades: list[TradeTax], taxes: Mapping[str, Settings], days: int
) -> list[WashSale]:
    """Those of one instrument in which a planned sale or a planned purchase has a part."""
    name = trades[0].trade.instrument_id
    found = past(state, books, taxes, instrument_id=name)
    losses, purchases = found
    for one in trades:
        account_id = one.trade.account_id
        settings, day = taxes.get(account_id, ()), state.accounts[account_id].day
        losses.extend(Loss(account_id, closing, planned=True) for closing in one.closings if counts(settings, closing))
        if (bought := _bought(one)) > 0:
            purchases.append(Purchase(account_id, day, bought, planned=True))
    return [
        wash
        for wash in wash_sales(losses, purchases, days=days)
        if wash.loss.planned or any(one.planned for one in wash.purchases)
    ]


def _bought(one: TradeTax) -> Decimal:
    """What a trade buys beyond closing a short."""
    return add(one.trade.quantity, total([closing.quantity for closing in one.closings]))


def first_long_day(opened: date, days: int) -> date:
    """The first day on which a sale of what was bought then is long-term."""
    return date.fromordinal(min(opened.toordinal() + days + 1, date.max.toordinal()))
