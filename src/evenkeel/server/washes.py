"""Wash sales as the API shows them: one for each trade that has sold at a loss, with its lots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct

from evenkeel.desk.taxes.plans import PlannedWash
from evenkeel.domain.money import minor_unit, plain, rounded, total
from evenkeel.domain.washes import Purchase, WashSale
from evenkeel.server.schemas import Amount, Day, Id
from evenkeel.trading.engine.state import State


class WashPurchaseOut(Struct):
    account_id: Id
    date: Day
    quantity: Amount
    planned: bool


class WashLotOut(Struct):
    """A lot that was sold at a loss, as a part of the whole."""

    opened: Day
    quantity: Amount
    loss: Amount
    at_risk: Amount


class WashOut(Struct):
    """The loss of a trade, planned or of the days before, with the purchases near it; `at_risk` is what may not count
    of it. `lots` are what it sold at a loss beside them, the earliest first, and add up to it."""

    account_id: Id
    symbol: str
    date: Day
    quantity: Amount
    loss: Amount
    at_risk: Amount
    planned: bool
    purchases: list[WashPurchaseOut]
    lots: list[WashLotOut]


def purchases_out(bought: Iterable[Purchase]) -> list[WashPurchaseOut]:
    return [WashPurchaseOut(one.account_id, one.day.isoformat(), plain(one.quantity), one.planned) for one in bought]


def washes_out(state: State, found: Sequence[PlannedWash]) -> list[WashOut]:
    """One for each trade that has sold at a loss, whatever number of lots that was."""
    trades: dict[tuple[str, str, date, str, bool], list[WashSale]] = {}
    for one in found:
        loss = one.wash.loss
        key = (one.instrument_id, loss.account_id, loss.closing.closed, loss.closing.by, loss.planned)
        trades.setdefault(key, []).append(one.wash)
    return [_wash(state, instrument_id, washes) for (instrument_id, *_), washes in trades.items()]


def _wash(state: State, instrument_id: str, washes: Sequence[WashSale]) -> WashOut:
    """What one trade has sold at a loss."""
    instrument, loss = state.instruments[instrument_id], washes[0].loss
    step = minor_unit(instrument.currency)
    bought = dict.fromkeys(purchase for one in washes for purchase in one.purchases)
    return WashOut(
        account_id=loss.account_id,
        symbol=instrument.symbol,
        date=loss.closing.closed.isoformat(),
        quantity=plain(total([one.loss.closing.quantity for one in washes])),
        loss=plain(total([one.amount for one in washes])),
        at_risk=plain(total([rounded(one.at_risk, step) for one in washes])),
        planned=loss.planned,
        purchases=purchases_out(bought),
        lots=[
            WashLotOut(
                one.loss.closing.opened.isoformat(),
                plain(one.loss.closing.quantity),
                plain(one.amount),
                plain(rounded(one.at_risk, step)),
            )
            for one in sorted(washes, key=lambda one: one.loss.closing.opened)
        ],
    )
