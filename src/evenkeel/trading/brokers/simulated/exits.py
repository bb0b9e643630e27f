"""Exits at the simulated venue: linked orders that meet a bar last, of which one a bar executes.

They wait until all else that the bar does has been answered, so that those of a position entered at its open are there,
and those of one that was closed are gone. Which of a stop and a target comes first is for `quant.costs.exits` to say.
What one of them fills the others give up because their owner asks for it, before the next bar.
"""

from collections.abc import Callable, Iterable
from itertools import groupby

from evenkeel.domain.marketdata import Bar
from evenkeel.domain.orders import OrderKind
from evenkeel.quant.costs.exits import stop_comes_first
from evenkeel.quant.costs.fills import Slippage
from evenkeel.trading.brokers.simulated.matching import Reach, price_of, reached, sequence
from evenkeel.trading.brokers.simulated.orders import VenueOrder


def work_from_the_open(orders: Iterable[VenueOrder], bar: Bar) -> None:
    """A stop that counts from inside the bar, as its entry filled there, works all through it."""
    for order in orders:
        if order.spec.kind is OrderKind.STOP and bar.ts < order.since < bar.close_ts:
            order.since = bar.ts


def first_of_each(
    orders: Iterable[VenueOrder], bar: Bar, *, slippage: Slippage, lets: Callable[[VenueOrder], bool]
) -> list[Reach]:
    """For each link the order that the bar executes, if it reaches any, in the sequence of a bar's other orders.

    `lets` says whether an order that is reached may fill.
    """
    touched = [one for one in reached(orders, bar, slippage=slippage) if one.fills and lets(one.order)]
    if len(touched) < 2:
        return touched
    chosen = []
    for _, group in groupby(sorted(touched, key=_link), key=_link):
        first, *others = group
        chosen.append(first if not others else _first(first, others[0], bar))
    return sorted(chosen, key=sequence)


def _link(reach: Reach) -> tuple[str, str]:
    return reach.account_id, reach.order.spec.link


def _first(one: Reach, other: Reach, bar: Bar) -> Reach:
    """Of a stop and a target that one bar reaches, the first on its path; of two alike, the one that came first."""
    stop, goal = (one, other) if one.order.spec.kind is OrderKind.STOP else (other, one)
    if stop.order.spec.kind is not OrderKind.STOP or goal.order.spec.kind is not OrderKind.LIMIT:
        return one
    if stop.order.triggered:
        return stop
    side = stop.order.spec.side.sign
    levels = price_of(stop.order.stop_price), price_of(goal.order.limit_price)
    return stop if stop_comes_first(side, *levels, bar.open, bar.high, bar.low) else goal
