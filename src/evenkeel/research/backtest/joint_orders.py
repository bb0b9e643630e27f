"""Orders of one instrument in the compiled simulator of a shared account: decided, waiting, and met by bars.

Each instrument has its orders in rows: the stop and the profit target of what is held, then those that wait for a bar,
in the sequence in which they were decided. With a share of volume an order may come in pieces: what is left of one at
the market waits for the next bar of its day, and a stop that was set off for as many bars as it takes.
"""

from math import inf, isnan, nan

from evenkeel.quant.costs.exits import TOOK_PROFIT, counted, parts_of, stop_comes_first, value_of
from evenkeel.quant.costs.fills import LIMIT, MARKET, STOP, capped_quantity, plain_touch
from evenkeel.quant.costs.tables import order_charge
from evenkeel.quant.kernels import kernel
from evenkeel.research.backtest.kernel import (
    AT_CLOSE,
    AT_LIMIT,
    AT_OPEN,
    BEST,
    DAY,
    FILL_AT,
    HELD,
    INSIDE,
    LIMIT_AT,
    LOT,
    MULTIPLIER,
    ORDERS,
    PARTICIPATION,
    QUEUED,
    RATIO,
    SIGNAL,
    SPREAD_SHARE,
    TAKEN,
    TICK,
    book,
    corporate_action,
    limit_of,
    met,
    protection,
    wanted_quantity,
    whole_lots,
)
from evenkeel.research.backtest.outcome import Floats

# A row of `orders`: what is left to do (signed), what was done and for how many ticks in all, the order's number, and
# whether it has met a bar, or a stop was set off.
LEFT, DONE, TICKS, NUMBER, MET = range(5)
ORDER_COLUMNS = 5
FIRST = 2  # row of an instrument that holds a waiting order; those before are the stop and the target


@kernel
def uncovered(m: Floats, orders: Floats) -> float:
    """How much of what is held no waiting order is about to close at the market: what its exits are for."""
    left = abs(m[HELD])
    for place in range(FIRST, FIRST + int(m[QUEUED]) if m[FILL_AT] != AT_LIMIT else 0):
        if orders[place, LEFT] * m[HELD] < 0.0:
            left -= abs(orders[place, LEFT])
    return left if left > 0.5 * m[LOT] else 0.0


@kernel
def withdraw(orders: Floats, exits: int) -> None:
    """Takes back the stop, or (2) both exits: those that may follow are other orders."""
    for place in range(exits):
        orders[place, DONE] = orders[place, TICKS] = orders[place, MET] = 0.0


@kernel
def split_orders(m: Floats, orders: Floats, ratio: float) -> None:
    """Quantities in new shares, in whole lots; an order that is left with less than one is gone."""
    kept = FIRST
    for place in range(FIRST + int(m[QUEUED])):
        left, done = whole_lots(orders[place, LEFT] * ratio, m[LOT]), whole_lots(orders[place, DONE] * ratio, m[LOT])
        if place < FIRST:
            orders[place, DONE] = done
        elif left != 0.0:
            orders[kept, LEFT], orders[kept, DONE], orders[kept, TICKS] = left, done, orders[place, TICKS]
            orders[kept, NUMBER], orders[kept, MET] = orders[place, NUMBER], orders[place, MET]
            kept += 1
    m[QUEUED] = kept - FIRST


@kernel
def go_ex(a: Floats, m: Floats, orders: Floats, ratio: float, dividend: float, before: float) -> None:
    """A split and a dividend of one instrument, as `corporate_action` has them, and its orders in new shares."""
    corporate_action(a, m, 1 if orders[FIRST, LEFT] > 0.0 else -1, ratio, dividend, before)
    split_orders(m, orders, ratio)
    m[RATIO] = ratio


@kernel
def steer(a: Floats, m: Floats, orders: Floats, target: float, equity: float, price: float, scale: float) -> bool:
    """Takes a target at a bar's close: what works the other way is cancelled, and what is missing ordered, through zero
    by two orders. Whether any is.
    """
    held, going, least = m[HELD], 0.0, 0.5 * m[LOT]
    for place in range(FIRST, FIRST + int(m[QUEUED])):
        going += orders[place, LEFT]
    wanted = wanted_quantity(m, target, equity, price, scale)
    change = wanted - held - going
    if abs(change) < least:
        return False
    left = uncovered(m, orders)
    if going * change < 0.0:
        going, m[QUEUED] = 0.0, 0.0
    expected, orders_before = held + going, a[ORDERS]
    closes = -expected if expected * wanted < 0.0 and abs(expected) > least else 0.0
    for order in (closes, wanted - expected - closes):
        if abs(order) > least:
            place = FIRST + int(m[QUEUED])
            orders[place, LEFT], orders[place, NUMBER] = order, a[ORDERS]
            orders[place, DONE] = orders[place, TICKS] = orders[place, MET] = 0.0
            a[ORDERS] += 1.0
            m[QUEUED] += 1.0
            m[LIMIT_AT] = limit_of(m, 1 if order > 0.0 else -1, price)
            left -= abs(order) if order * held < 0.0 and m[FILL_AT] != AT_LIMIT else 0.0
    if left < least:
        withdraw(orders, 2)
    return bool(a[ORDERS] > orders_before)


@kernel
def trade_line(
    a: Floats,
    m: Floats,
    orders: Floats,
    charges: Floats,
    fills: Floats,
    i: int,
    day: float,
    open_: Floats,
    high: Floats,
    low: Floats,
    volume: Floats,
    spread: Floats,
    first: int,
    steps: int,
) -> None:
    """A bar of one instrument from step `first` on: its waiting orders (0), and, with four `steps`, its exits.

    `day` is the number of the account's day that the bar opens in, negative for the last bar that fits into it.
    """
    count, kept, at_open = int(m[QUEUED]) if first == 0 else 0, 0, m[FILL_AT] == AT_OPEN
    if first == 0:
        m[INSIDE] = 0.0
    for step in range(count + 1):
        place, why, level, kind = FIRST + step, SIGNAL, m[LIMIT_AT], LIMIT if m[FILL_AT] == AT_LIMIT else MARKET
        opened, is_exit, order = m[FILL_AT] != AT_CLOSE, step == count, orders[place, LEFT]
        if is_exit:
            if first == 0:
                m[QUEUED], m[DAY] = kept, abs(day)
            if steps < 4 or m[HELD] == 0.0:
                continue
            side = 1 if m[HELD] < 0.0 else -1
            order = side * uncovered(m, orders)
        else:
            if orders[place, MET] > 0.0 and abs(day) != m[DAY]:
                continue
            side = 1 if order > 0.0 else -1
        shift = side * m[SPREAD_SHARE] * spread[i] if m[SPREAD_SHARE] > 0.0 else 0.0
        if is_exit:
            stop, why, goal = protection(a, m)
            if m[INSIDE] > 0.0:
                goal = nan
            else:
                m[BEST] = max(m[BEST], high[i]) if side < 0 else min(m[BEST], low[i])
            if order == 0.0 or isnan(stop):
                withdraw(orders, 2 if order == 0.0 else 1)
            if order == 0.0:
                continue
            seen = open_[i] + shift, high[i] + shift, low[i] + shift
            is_set_off = orders[0, MET] > 0.0
            stopped = not isnan(stop) and (is_set_off or not isnan(plain_touch(STOP, side, stop, *seen)[0]))
            reached = not isnan(plain_touch(LIMIT, side, goal, *seen)[0])
            if not (stopped or reached):
                continue
            if reached and not (
                stopped and (is_set_off or stop_comes_first(side, stop, goal, open_[i], high[i], low[i]))
            ):
                place, why, level, kind, opened = 1, TOOK_PROFIT, goal, LIMIT, True
            else:
                place, level, kind = 0, stop, MARKET if is_set_off else STOP
                opened = is_set_off or side * (seen[0] - stop) >= 0.0
        orders[place, MET] = 1.0
        size, left, share = abs(order), volume[i], m[PARTICIPATION]
        if share < inf and left > 0.0:
            left -= m[TAKEN] / share
            size = capped_quantity(size, left, share, m[LOT]) if left * share >= m[LOT] * (1.0 - 1e-9) else 0.0
        price, maker = nan, False
        if size > 0.0:
            price, maker = met(m, kind, side, level, size, left, shift, i, open_, high, low)
        if not isnan(price):
            parts, done, ticks = parts_of(m[TICK]), orders[place, DONE], orders[place, TICKS]
            orders[place, DONE] = done + size
            orders[place, TICKS] = ticks + counted(size, price, m[MULTIPLIER], parts)
            before, after = value_of(ticks, parts), value_of(orders[place, TICKS], parts)
            fee = order_charge(charges, side, done, before, done + size, after, maker)
            before_it = m[HELD]
            book(a, m, fills, i, side * size, price, fee, why, orders[place, NUMBER], opened and not maker)
            m[TAKEN] += size
            order = order - side * size
            if m[HELD] * before_it <= 0.0 or (is_exit and abs(order) < 0.5 * m[LOT]):
                withdraw(orders, 2)
            if maker and not is_exit:
                m[INSIDE] = 1.0
        if not is_exit and at_open and day > 0.0 and abs(order) > 0.5 * m[LOT]:
            to = FIRST + kept
            orders[to, LEFT], orders[to, DONE], orders[to, TICKS] = order, orders[place, DONE], orders[place, TICKS]
            orders[to, NUMBER], orders[to, MET] = orders[place, NUMBER], 1.0
            kept += 1
