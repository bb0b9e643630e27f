"""The compiled simulator of one instrument: every bar in one pass, on numbers alone.

Within a bar: splits and dividends first, then the order decided at the close before meets the bar, then stops, then
the close values the position and the next target is read. A stop and a profit target reached in one bar are decided
by the path open, nearer extreme, farther extreme, close; where both are equally near, the stop comes first.
"""

from math import floor, inf, isnan, nan
from typing import Any

from evenkeel.quant.costs.fills import LIMIT, MARKET, STOP, plain_touch, taken_at
from evenkeel.quant.costs.tables import charge_at_once
from evenkeel.quant.kernels import compiled, kernel
from evenkeel.research.backtest.outcome import Floats, Ints

# One vector of numbers, `m`, holds what a run is told, what it remembers from bar to bar, and what it reports.
CASH, LOT, TICK, MULTIPLIER, SIZE_BY, SIZE, MOST, FILL_AT, LIMIT_OFFSET = range(9)
BPS, SPREAD_SHARE, IMPACT, STOP_LOSS, TAKE_PROFIT, TRAILING, MAINTENANCE, WARMUP = range(9, 17)
HELD_CASH, HELD, ENTRY, BEST, CLOSING, OPENING, LIMIT_AT = range(17, 24)
FINAL_EQUITY, FILLS, ORDERS, FEES, TRADES, LOWEST_CASH, BAD_TARGET = range(24, 31)
PLACES = 31

BY_UNITS, BY_CASH, BY_EQUITY, BY_SCALE, BY_KELLY = range(5)
AT_OPEN, AT_CLOSE, AT_LIMIT = range(3)
BAR, SIDE, QUANTITY, PRICE, FEE, WHY, OPENED = range(7)
FILL_COLUMNS = 7

SIGNAL, STOPPED, TOOK_PROFIT, TRAILED, LIQUIDATED = 0, 1, 2, 3, 4

_NEARLY = 1e-9


@kernel
def whole_lots(quantity: float, lot: float) -> float:
    """`quantity` cut to whole lots, towards zero; what is a hair below a lot counts as one."""
    lots = floor(abs(quantity) / lot + _NEARLY)
    return lots * lot if quantity > 0.0 else -lots * lot


@kernel
def wanted_quantity(m: Floats, target: float, equity: float, price: float, scale: float) -> float:
    """The signed quantity that a target stands for at the price and equity of the decision."""
    if target == 0.0:
        return 0.0
    by, value = m[SIZE_BY], price * m[MULTIPLIER]
    if by == BY_UNITS:
        return whole_lots(target * m[SIZE], m[LOT])
    if by == BY_CASH:
        return whole_lots(target * m[SIZE] / value, m[LOT])
    if equity <= 0.0:
        return 0.0
    share = target * m[SIZE]
    if by in (BY_SCALE, BY_KELLY):
        if isnan(scale):
            return 0.0
        share = target * min(m[MOST], scale) if by == BY_SCALE else kelly_share(target, scale, m[MOST])
    return whole_lots(share * equity / value, m[LOT])


@kernel
def kelly_share(target: float, scale: float, most: float) -> float:
    """A share in the direction of the target only."""
    share = abs(target) * min(most, abs(scale))
    if target * scale <= 0.0:
        return 0.0
    return share if target > 0.0 else -share


@kernel
def on_tick(price: float, side: int, tick: float) -> float:
    """A fill's price on the grid, never to the trader's gain; without a grid (0), and on it already, as it is."""
    if tick == 0.0:
        return price
    ticks = price / tick
    near = floor(ticks + 0.5)
    if abs(ticks - near) <= 1e-6:
        return price if near * tick == price else near * tick
    return (floor(ticks) + 1.0) * tick if side > 0 else floor(ticks) * tick


@kernel
def protection(m: Floats) -> tuple[float, int, float]:
    """(stop price, why, profit target) of a position; NaN where there is none."""
    quantity, entry = m[HELD], m[ENTRY]
    side = 1.0 if quantity > 0.0 else -1.0
    stop, why, goal = -side * inf, STOPPED, nan
    if m[STOP_LOSS] > 0.0:
        stop = entry * (1.0 - side * m[STOP_LOSS])
    if m[TRAILING] > 0.0:
        level = m[BEST] * (1.0 - side * m[TRAILING])
        if level * side > stop * side:
            stop, why = level, TRAILED
    if m[MAINTENANCE] > 0.0:
        units = quantity * m[MULTIPLIER]
        level = -m[HELD_CASH] / (units - m[MAINTENANCE] * abs(units))
        if level > 0.0 and level * side > stop * side:
            stop, why = level, LIQUIDATED
    if m[TAKE_PROFIT] > 0.0:
        goal = entry * (1.0 + side * m[TAKE_PROFIT])
    if abs(stop) == inf:
        stop = nan
    return stop, why, goal


@kernel
def met(
    m: Floats,
    kind: int,
    side: int,
    level: float,
    quantity: float,
    open_: float,
    high: float,
    low: float,
    volume: float,
    spread: float,
) -> tuple[float, bool]:
    """(price on the grid, whether it made liquidity) of an order on a bar; the price is NaN where it does not fill."""
    if isnan(level) and kind != MARKET:
        return nan, False
    shift = side * m[SPREAD_SHARE] * spread
    price, taker = plain_touch(kind, side, level, open_ + shift, high + shift, low + shift)
    if isnan(price):
        return nan, False
    if taker:
        price = taken_at(price, side, level if kind == LIMIT else nan, quantity, volume, m[BPS], m[IMPACT])
    return on_tick(price, side, m[TICK]), not taker


@kernel
def stop_comes_first(side: int, stop: float, goal: float, open_: float, high: float, low: float) -> bool:
    """Whether a bar that reaches both closes the position at its stop; `side` is that of the closing order."""
    up, down = high - open_, open_ - low
    if open_ >= goal if side < 0 else open_ <= goal:
        return False
    if open_ <= stop if side < 0 else open_ >= stop:
        return True
    return down <= up if side < 0 else up <= down


@kernel
def corporate_action(m: Floats, ratio: float, dividend: float, before: float) -> None:
    """A split (`ratio` new shares for an old one) and a dividend a share, in force before the bar opens.

    `before` is the close before it; what is no whole lot after the split is paid out at that price.
    """
    held = m[HELD]
    m[HELD_CASH] += held * m[MULTIPLIER] * dividend
    whole = whole_lots(held * ratio, m[LOT])
    m[HELD_CASH] += (held - whole / ratio) * m[MULTIPLIER] * before
    m[HELD] = whole
    m[ENTRY] /= ratio
    m[BEST] /= ratio
    m[LIMIT_AT] /= ratio
    m[CLOSING] = whole_lots(m[CLOSING] * ratio, m[LOT])
    m[OPENING] = whole_lots(m[OPENING] * ratio, m[LOT])


@kernel
def book(m: Floats, charges: Floats, fills: Floats, i: int, order: float, price: float, why: int, maker: bool) -> None:
    """Moves cash and holding by one execution of the signed quantity `order`, and writes it down."""
    side, size = (1, order) if order > 0.0 else (-1, -order)
    held, value = m[HELD], size * price * m[MULTIPLIER]
    fee = charge_at_once(charges, side, size, value, maker)
    if held == 0.0:
        m[ENTRY] = m[BEST] = price
    elif held * order > 0.0:
        m[ENTRY] = (m[ENTRY] * abs(held) + price * size) / (abs(held) + size)
    m[HELD_CASH] -= order * price * m[MULTIPLIER] + fee
    m[HELD] = held + order
    if abs(m[HELD]) < 0.5 * m[LOT]:
        m[HELD] = 0.0
        m[TRADES] += 1.0
    count = int(m[FILLS])
    if count < len(fills):
        fills[count, BAR] = i
        fills[count, SIDE] = side
        fills[count, QUANTITY] = size
        fills[count, PRICE] = price
        fills[count, FEE] = fee
        fills[count, WHY] = why
        fills[count, OPENED] = 1.0 if why == SIGNAL and m[FILL_AT] == AT_OPEN else 0.0
    m[FILLS] += 1.0
    m[FEES] += fee
    m[LOWEST_CASH] = min(m[LOWEST_CASH], m[HELD_CASH])


@kernel
def trade_bar(
    m: Floats,
    charges: Floats,
    fills: Floats,
    i: int,
    open_: float,
    high: float,
    low: float,
    volume: float,
    spread: float,
    steps: int,
) -> None:
    """A bar in which something may happen: the order that closes, the one that opens, then (with four `steps`) the
    stop and the profit target of what is held.

    What does not fill is gone. Where the closing order did not fill, the opening one is dropped.
    """
    kind = LIMIT if m[FILL_AT] == AT_LIMIT else MARKET
    stopped, stop, why, goal = nan, nan, SIGNAL, nan
    for step in range(steps):
        if step < 2:
            order = m[CLOSING + step]
            m[CLOSING + step] = 0.0
            if step == 1 and m[HELD] * order < 0.0:
                continue
            level = m[LIMIT_AT] * (1.0 - m[LIMIT_OFFSET] if order > 0.0 else 1.0 + m[LIMIT_OFFSET])
        else:
            order = -m[HELD]
            if step == 2:
                stop, why, goal = protection(m)
                kind, level = STOP, stop
            else:
                kind, level = LIMIT, goal
        if order == 0.0:
            continue
        side = 1 if order > 0.0 else -1
        price, maker = met(m, kind, side, level, abs(order), open_, high, low, volume, spread)
        if step == 2:
            stopped = price
            continue
        if step == 3:
            m[BEST] = max(m[BEST], high) if order < 0.0 else min(m[BEST], low)
            if isnan(price) or (not isnan(stopped) and stop_comes_first(side, stop, goal, open_, high, low)):
                price, maker = stopped, False
            else:
                why = TOOK_PROFIT
        if not isnan(price):
            book(m, charges, fills, i, order, price, why, maker)


@kernel
def decide(m: Floats, target: float, price: float, scale: float) -> bool:
    """Takes a new target at a bar's close; whether it wants an order. Through zero it takes two."""
    held = m[HELD]
    wanted = wanted_quantity(m, target, m[HELD_CASH] + held * m[MULTIPLIER] * price, price, scale)
    if abs(wanted - held) < 0.5 * m[LOT]:
        return False
    m[LIMIT_AT] = price
    if held * wanted < 0.0:
        m[CLOSING], m[OPENING] = -held, wanted
        m[ORDERS] += 2.0
        return True
    adds = abs(wanted) > abs(held)
    m[CLOSING], m[OPENING] = (0.0, wanted - held) if adds else (wanted - held, 0.0)
    m[ORDERS] += 1.0
    return True


def _signature(t: Any) -> Any:
    return t.void(*[t.floats] * 8, t.ints, t.ints, t.table, t.table, t.out, t.out_table, t.out, t.out_table)


@compiled(_signature, allocates=False)
def simulate(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    spread: Floats,
    targets: Floats,
    scale: Floats,
    day_last: Ints,
    event_bar: Ints,
    events: Floats,
    charges: Floats,
    m: Floats,
    path: Floats,
    day_equity: Floats,
    fills: Floats,
) -> None:
    """Runs the whole series on the settings in `m`, and writes its report there. Also writes `path` (equity, cash and
    quantity by bar; without columns it is not wanted), `day_equity` at the bars `day_last`, and `fills` as far as there
    is room; `m[FILLS]` says how many there were.

    `events` has (new shares for an old one, dividend a share) for each of the bars `event_bar`.
    """
    m[HELD_CASH] = m[LOWEST_CASH] = m[CASH]
    m[LIMIT_AT] = nan
    guards = max(m[STOP_LOSS], m[TAKE_PROFIT], m[TRAILING], m[MAINTENANCE]) > 0.0
    steps = 4 if guards else 2
    bars, warmup, at_close, next_event, day = len(close), int(m[WARMUP]), m[FILL_AT] == AT_CLOSE, 0, 0
    event_at = event_bar[0] if len(event_bar) > 0 else bars
    day_at = day_last[0] if len(day_last) > 0 else bars
    cash, held, target, wants_path, waits = m[CASH], 0.0, 0.0, path.shape[1] > 0, False
    i = 0
    while i < bars:
        if i == event_at:
            corporate_action(m, events[next_event, 0], events[next_event, 1], close[max(i - 1, 0)])
            next_event += 1
            event_at = event_bar[next_event] if next_event < len(event_bar) else bars
            cash, held = m[HELD_CASH], m[HELD] * m[MULTIPLIER]
        opens, highest, lowest, meets = open_[i], high[i], low[i], steps
        while True:
            if waits:
                trade_bar(m, charges, fills, i, opens, highest, lowest, volume[i], spread[i], meets)
                cash, held = m[HELD_CASH], m[HELD] * m[MULTIPLIER]
                waits = guards and held != 0.0
            if targets[i] == target or targets[i] != targets[i] or i < warmup:
                break
            target = targets[i]
            if abs(target) > 1.0:
                m[BAD_TARGET] = i + 1.0
                return
            wants = decide(m, target, close[i], scale[i] if len(scale) > 0 else nan)
            waits = waits or wants
            if not (wants and at_close):
                break
            opens = highest = lowest = close[i]
            meets = 2
        end = i + 1
        if not waits:
            while end < event_at and (targets[end] == target or targets[end] != targets[end] or end < warmup):
                end += 1
        if wants_path:
            quantity = m[HELD]
            for j in range(i, end):
                path[0, j], path[1, j], path[2, j] = cash + held * close[j], cash, quantity
        while day_at < end:
            day_equity[day] = cash + held * close[day_at]
            day += 1
            day_at = day_last[day] if day < len(day_last) else bars
        i = end
    m[FINAL_EQUITY] = cash + held * close[bars - 1]
