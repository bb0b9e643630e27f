"""The compiled simulator of one instrument: every bar in one pass, on numbers alone.

Within a bar: splits and dividends first, then the order decided at the close before meets the bar, then the exits of
what is held by the rules of `quant.costs.exits`, then the close values the position and the next target is read.
"""

from math import floor, isnan, nan
from typing import Any

from evenkeel.quant.costs.exits import (
    TOOK_PROFIT,
    counted,
    exit_levels,
    liquidation_price,
    on_tick,
    parts_of,
    stop_comes_first,
    value_of,
)
from evenkeel.quant.costs.fills import COUNTED, HAIR, LIMIT, MARKET, STOP, plain_touch, taken_at
from evenkeel.quant.costs.tables import charge_at_once
from evenkeel.quant.kernels import compiled, kernel
from evenkeel.research.backtest.outcome import Floats, Ints

# One vector of numbers, `m`, holds what a run is told, what it remembers from bar to bar, and what it reports. Where
# instruments share an account (`joint`) each has one, and the account another, `a`; here both are the same.
CASH, LOT, TICK, MULTIPLIER, SIZE_BY, SIZE, MOST, FILL_AT, LIMIT_OFFSET = range(9)
BPS, SPREAD_SHARE, IMPACT, STOP_LOSS, TAKE_PROFIT, TRAILING, MAINTENANCE, WARMUP = range(9, 17)
HELD_CASH, HELD, ENTRY, BEST, CLOSING, OPENING, LIMIT_AT = range(17, 24)
FINAL_EQUITY, FILLS, ORDERS, FEES, TRADES, LOWEST_CASH, BAD_TARGET = range(24, 31)
SIZE_STEPS, SIZE_PARTS, SHARED_BY, LINE, NUMBER, BESIDE, DIVIDENDS = range(31, 38)
TARGET, RESTORE, NEXT, FINANCING, CREDIT, BORROW, INTEREST, BORROWED, INSIDE, RATIO = range(38, 48)
PARTICIPATION, QUEUED, TAKEN, DAY, CROWDED = range(48, 53)
PLACES = 53

BY_UNITS, BY_CASH, BY_EQUITY, BY_SCALE, BY_KELLY = range(5)
AT_OPEN, AT_CLOSE, AT_LIMIT = range(3)
BAR, SIDE, QUANTITY, PRICE, FEE, WHY, OPENED, OF_LINE, OF_ORDER = range(9)
FILL_COLUMNS = 9

SIGNAL = 0

_STEPS = 1e9
_NEARLY = 1e-10  # of a lot: far below the billionth of a share's rounding


@kernel
def whole_lots(quantity: float, lot: float) -> float:
    """`quantity` cut to whole lots, towards zero; what is a hair below a lot counts as one."""
    lots = abs(quantity) / lot
    if lots < COUNTED:
        lots = floor(lots + min(lots * HAIR + _NEARLY, 0.5))
    return lots * lot if quantity > 0.0 else -lots * lot


@kernel
def nearest(part: float, whole: float) -> float:
    """`part` / `whole` as a whole number, a half to the even one; exact where both are whole and below 2^53."""
    count = floor(part / whole)
    over = 2.0 * (part - count * whole)
    return count + 1.0 if over > whole or (over == whole and count % 2.0 == 1.0) else float(count)


@kernel
def wanted_quantity(m: Floats, target: float, equity: float, price: float, scale: float) -> float:
    """The signed quantity that a target stands for at the price and equity of the decision.

    Targets and shares of equity are rounded to a billionth, as the live engine has them.
    """
    if target == 0.0:
        return 0.0
    by, value, steps = m[SIZE_BY], price * m[MULTIPLIER], nearest(target * _STEPS, 1.0)
    share = target if steps == target * _STEPS else steps / _STEPS
    if by == BY_UNITS:
        return whole_lots(share * m[SIZE], m[LOT])
    if by == BY_CASH:
        return whole_lots(share * m[SIZE] / value, m[LOT])
    if equity <= 0.0:
        return 0.0
    if by == BY_EQUITY:
        share = nearest(steps * m[SIZE_STEPS], m[SIZE_PARTS] * m[SHARED_BY]) / _STEPS
    elif isnan(scale):
        return 0.0
    else:
        share = target * min(m[MOST], scale) if by == BY_SCALE else kelly_share(target, scale, m[MOST])
        share /= m[SHARED_BY]
    return whole_lots(share * equity / value, m[LOT])


@kernel
def kelly_share(target: float, scale: float, most: float) -> float:
    """A share in the direction of the target only."""
    share = abs(target) * min(most, abs(scale))
    if target * scale <= 0.0:
        return 0.0
    return share if target > 0.0 else -share


@kernel
def protection(a: Floats, m: Floats) -> tuple[float, int, float]:
    """(stop price, why, profit target) of what is held, on the grid; NaN where there is none.

    `m[BESIDE]` is what the account has beside this position, NaN where that is its cash.
    """
    liquidation = nan
    if m[MAINTENANCE] > 0.0:
        free = a[HELD_CASH] if isnan(m[BESIDE]) else m[BESIDE]
        liquidation = liquidation_price(free, m[HELD] * m[MULTIPLIER], m[MAINTENANCE])
    side = 1 if m[HELD] > 0.0 else -1
    return exit_levels(side, m[ENTRY], m[BEST], m[STOP_LOSS], m[TAKE_PROFIT], m[TRAILING], liquidation, m[TICK])


@kernel
def met(
    m: Floats,
    kind: int,
    side: int,
    level: float,
    quantity: float,
    volume: float,
    shift: float,
    i: int,
    open_: Floats,
    high: Floats,
    low: Floats,
) -> tuple[float, bool]:
    """(price on the grid, whether it made liquidity) of an order on bar `i`; the price is NaN where it does not fill.

    `volume` is what the bar has for it, `shift` how far its side sees the bar from the middle. Only the columns that
    matter are read: each is a trip to memory.
    """
    if isnan(level) and kind != MARKET:
        return nan, False
    price, taker = open_[i] + shift, True
    if kind != MARKET:
        price, taker = plain_touch(kind, side, level, price, high[i] + shift, low[i] + shift)
    if isnan(price):
        return nan, False
    if taker:
        price = taken_at(price, side, level if kind == LIMIT else nan, quantity, volume, m[BPS], m[IMPACT])
    return on_tick(price, side, m[TICK]), not taker


@kernel
def corporate_action(a: Floats, m: Floats, side: int, ratio: float, dividend: float, before: float) -> None:
    """A split (`ratio` new shares for an old one) and a dividend a share, in force before the bar opens.

    `before` is the close before it; what is no whole lot after the split is paid out at that price. `side` is that of
    the orders that wait.
    """
    held = m[HELD]
    paid, whole = held * m[MULTIPLIER] * dividend, whole_lots(held * ratio, m[LOT])
    a[HELD_CASH] += paid + (held - whole / ratio) * m[MULTIPLIER] * before
    m[DIVIDENDS] += paid
    m[HELD] = whole
    m[ENTRY] /= ratio
    m[BEST] /= ratio
    m[LIMIT_AT] = on_tick(m[LIMIT_AT] / ratio, -side, m[TICK])


@kernel
def book(
    a: Floats,
    m: Floats,
    fills: Floats,
    i: int,
    order: float,
    price: float,
    fee: float,
    why: int,
    number: float,
    opened: bool,
) -> None:
    """Moves cash and holding by one execution of the signed quantity `order`, and writes it down.

    `opened`: it happened at the bar's open. `number` is that of the order.
    """
    side, size = (1, order) if order > 0.0 else (-1, -order)
    held = m[HELD]
    turns = held * order < 0.0 and size > abs(held) + 0.5 * m[LOT]
    if held == 0.0 or turns:
        m[ENTRY] = m[BEST] = price
    elif held * order > 0.0:
        m[ENTRY] = (m[ENTRY] * abs(held) + price * size) / (abs(held) + size)
    a[HELD_CASH] -= order * price * m[MULTIPLIER] + fee
    m[HELD] = held + order
    if abs(m[HELD]) < 0.5 * m[LOT]:
        m[HELD] = 0.0
    if turns or m[HELD] == 0.0:
        a[TRADES] += 1.0
    count = int(a[FILLS])
    if count < len(fills):
        fills[count, BAR] = i
        fills[count, SIDE] = side
        fills[count, QUANTITY] = size
        fills[count, PRICE] = price
        fills[count, FEE] = fee
        fills[count, WHY] = why
        fills[count, OPENED] = 1.0 if opened else 0.0
        fills[count, OF_LINE] = m[LINE]
        fills[count, OF_ORDER] = number
    a[FILLS] += 1.0
    a[FEES] += fee
    a[LOWEST_CASH] = min(a[LOWEST_CASH], a[HELD_CASH])


@kernel
def trade_bar(
    m: Floats,
    charges: Floats,
    fills: Floats,
    i: int,
    open_: Floats,
    high: Floats,
    low: Floats,
    volume: Floats,
    spread: Floats,
    steps: int,
) -> None:
    """A bar in which something may happen, in `steps`: the order that closes, the one that opens, and (four of them)
    the stop and the profit target of what is held.

    What does not fill is gone. Where the closing order did not fill, the opening one is dropped.
    """
    kind = LIMIT if m[FILL_AT] == AT_LIMIT else MARKET
    stopped, stop, why, goal, inside = nan, nan, SIGNAL, nan, False
    for step in range(steps):
        if step < 2:
            order = m[CLOSING + step]
            m[CLOSING + step] = 0.0
            if step == 1 and m[HELD] * order < 0.0:
                continue
            level = m[LIMIT_AT]
        else:
            order = -m[HELD]
            if step == 2:
                stop, why, goal = protection(m, m)
                if inside:
                    goal = nan
                kind, level = STOP, stop
            else:
                kind, level = LIMIT, goal
        if order == 0.0:
            continue
        side = 1 if order > 0.0 else -1
        traded = volume[i] if m[IMPACT] > 0.0 else nan
        shift = side * m[SPREAD_SHARE] * spread[i] if m[SPREAD_SHARE] > 0.0 else 0.0
        price, maker = met(m, kind, side, level, abs(order), traded, shift, i, open_, high, low)
        opened = not maker and (step > 1 or m[FILL_AT] != AT_CLOSE)
        if step < 2:
            inside = inside or maker
        elif step == 2:
            stopped = price
            continue
        else:
            if not inside:
                m[BEST] = max(m[BEST], high[i]) if order < 0.0 else min(m[BEST], low[i])
            stops = not isnan(stopped) and stop_comes_first(side, stop, goal, open_[i], high[i], low[i])
            if stops or isnan(price):
                price, maker, opened = stopped, False, side * (open_[i] + shift - stop) >= 0.0
            else:
                why = TOOK_PROFIT
        if not isnan(price):
            parts = parts_of(m[TICK])
            value = value_of(counted(abs(order), price, m[MULTIPLIER], parts), parts)
            fee = charge_at_once(charges, side, abs(order), value, maker)
            number = m[NUMBER] if step == 0 else m[ORDERS] - 1.0 if step == 1 else 0.0
            book(m, m, fills, i, order, price, fee, why, number, opened)


@kernel
def limit_of(m: Floats, side: int, price: float) -> float:
    """Where a limit order of that side rests that is decided at `price`."""
    return on_tick(price * (1.0 - side * m[LIMIT_OFFSET]), -side, m[TICK])


@kernel
def decide(m: Floats, target: float, equity: float, price: float, scale: float) -> bool:
    """Takes a target at a bar's close; whether it wants an order. Through zero it takes two."""
    held = m[HELD]
    wanted = wanted_quantity(m, target, equity, price, scale)
    if abs(wanted - held) < 0.5 * m[LOT]:
        return False
    side = 1 if wanted > held else -1
    m[LIMIT_AT] = limit_of(m, side, price)
    m[NUMBER] = m[ORDERS]
    m[ORDERS] += 1.0
    if held * wanted < 0.0:
        m[CLOSING], m[OPENING] = -held, wanted
        m[ORDERS] += 1.0
    else:
        adds = abs(wanted) > abs(held)
        m[CLOSING], m[OPENING] = (0.0, wanted - held) if adds else (wanted - held, 0.0)
    return True


@kernel
def next_target(targets: Floats, start: int, end: int, held: float) -> int:
    """The first bar from `start` on, and before `end`, whose target is known and not `held`; else `end`.

    Eight bars are looked at as one, without a branch for each: most of a run is spent here.
    """
    i = start
    while i + 8 <= end:
        block, first = targets[i : i + 8], 8
        for j in range(7, -1, -1):
            first = j if (block[j] < held) | (block[j] > held) else first
        if first < 8:
            return i + first
        i += 8
    while i < end and not (targets[i] < held or targets[i] > held):
        i += 1
    return i


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
    m[LIMIT_AT] = m[BESIDE] = nan
    guards = max(m[STOP_LOSS], m[TAKE_PROFIT], m[TRAILING], m[MAINTENANCE]) > 0.0
    steps = 4 if guards else 2
    bars, warmup, at_close, next_event, day = len(close), int(m[WARMUP]), m[FILL_AT] == AT_CLOSE, 0, 0
    event_at = event_bar[0] if len(event_bar) > 0 else bars
    day_at = day_last[0] if len(day_last) > 0 else bars
    cash, held, target, wants_path, waits = m[CASH], 0.0, 0.0, path.shape[1] > 0, False
    i = 0
    while i < bars:
        if i == event_at:
            ratio, waiting = events[next_event, 0], m[CLOSING] + m[OPENING]
            corporate_action(m, m, 1 if waiting > 0.0 else -1, ratio, events[next_event, 1], close[max(i - 1, 0)])
            m[CLOSING] = whole_lots(m[CLOSING] * ratio, m[LOT])
            m[OPENING] = whole_lots(m[OPENING] * ratio, m[LOT])
            next_event += 1
            event_at = event_bar[next_event] if next_event < len(event_bar) else bars
            cash, held = m[HELD_CASH], m[HELD] * m[MULTIPLIER]
        opens, highs, lows, meets = open_, high, low, steps
        while True:
            if waits:
                trade_bar(m, charges, fills, i, opens, highs, lows, volume, spread, meets)
                cash, held = m[HELD_CASH], m[HELD] * m[MULTIPLIER]
                waits = guards and held != 0.0
            if targets[i] == target or targets[i] != targets[i] or i < warmup:
                break
            target = targets[i]
            if abs(target) > 1.0:
                m[BAD_TARGET] = i + 1.0
                return
            wants = decide(m, target, cash + held * close[i], close[i], scale[i] if len(scale) > 0 else nan)
            waits = waits or wants
            if not (wants and at_close):
                break
            opens = highs = lows = close
            meets = 2
        end = i + 1
        if not waits:
            end = next_target(targets, max(end, min(warmup, event_at)), event_at, target)
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
