"""The compiled simulator of instruments that share an account: moment by moment, where anything happens at all.

A moment is a bar's close, of one instrument or of several. At each: the interest and borrow fees of the nights since
the moment before, then what goes ex, then each instrument's bar as `kernel` has it. Then the closes value the account,
and whoever's target is new, or is to be restored, decides, all on the same equity.
"""

from math import isnan, nan
from typing import Any

from evenkeel.quant.costs.carrying import borrow_fee, financing
from evenkeel.quant.costs.exits import on_tick
from evenkeel.quant.kernels import compiled, kernel
from evenkeel.research.backtest.joint_orders import FIRST, go_ex, steer, trade_line
from evenkeel.research.backtest.kernel import (
    AT_CLOSE,
    BAD_TARGET,
    BESIDE,
    BORROW,
    BORROWED,
    CASH,
    CREDIT,
    CROWDED,
    FILL_AT,
    FINAL_EQUITY,
    FINANCING,
    HELD,
    HELD_CASH,
    INTEREST,
    LINE,
    LOWEST_CASH,
    MAINTENANCE,
    MULTIPLIER,
    NEXT,
    QUEUED,
    RATIO,
    RESTORE,
    STOP_LOSS,
    TAKE_PROFIT,
    TAKEN,
    TARGET,
    TICK,
    TRAILING,
    nearest,
    next_target,
)
from evenkeel.research.backtest.outcome import Floats, Ints

A_NIGHT, GOES_EX, RESTORES = range(3)
KIND, OF_LINE, FACTOR, DIVIDEND = range(4)
EVENT_COLUMNS = 4

YEAR = 365.0


@kernel
def worth(a: Floats, lines: Floats, close: Floats, i: int) -> float:
    """Equity at the closes of moment `i`."""
    total: float = a[HELD_CASH]
    for n in range(len(lines)):
        total += lines[n, HELD] * lines[n, MULTIPLIER] * close[n, i]
    return total


@kernel
def beside(a: Floats, lines: Floats, close: Floats, line: int, i: int) -> float:
    """What the account has beside one position: cash, and what all others were worth at moment `i`, less the
    maintenance they need. What has split since is valued at that price of new shares, on the grid.
    """
    total: float = a[HELD_CASH]
    for n in range(len(lines)):
        if n != line:
            price, tick = close[n, i], lines[n, TICK]
            if lines[n, RATIO] != 1.0:
                price = on_tick(nearest(price / lines[n, RATIO], tick) * tick, 1, tick)
            value = lines[n, HELD] * lines[n, MULTIPLIER] * price
            total += value - a[MAINTENANCE] * abs(value)
    return total


@kernel
def carry(a: Floats, lines: Floats, close: Floats, i: int, nights: float) -> None:
    """Books what the nights after moment `i` cost, by the rule of `quant.costs.carrying`."""
    shorts, fees = 0.0, 0.0
    for n in range(len(lines)):
        value = lines[n, HELD] * lines[n, MULTIPLIER] * close[n, i]
        if value < 0.0:
            fee = borrow_fee(value, a[BORROW], nights, YEAR)
            lines[n, BORROWED] += fee
            shorts, fees = shorts + value, fees + fee
    interest = financing(a[HELD_CASH] + shorts, a[FINANCING], a[CREDIT], nights, YEAR)
    a[INTEREST] += interest
    a[HELD_CASH] += interest + fees
    a[LOWEST_CASH] = min(a[LOWEST_CASH], a[HELD_CASH])


@kernel
def next_of(m: Floats, targets: Floats, open_: Floats, start: int, guards: bool) -> int:
    """The first moment from `start` on at which to look at an instrument: its next bar, where an order or a guarded
    position waits for one, else that of its next target.
    """
    if m[QUEUED] == 0.0 and not (guards and m[HELD] != 0.0):
        return next_target(targets, start, len(targets), m[TARGET])
    while start < len(open_) and isnan(open_[start]):
        start += 1
    return start


@kernel
def meet_bars(
    a: Floats,
    lines: Floats,
    orders: Floats,
    charges: Floats,
    fills: Floats,
    i: int,
    days: Floats,
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    spread: Floats,
    steps: int,
) -> None:
    """The first `steps` of the bars that meet an order or an exit at moment `i`.

    Where the whole account answers for each position, all orders come before any exit.
    """
    first, upto, room = 0, 2 if a[MAINTENANCE] > 0.0 else steps, len(orders) // len(lines)
    while first < steps:
        for n in range(len(lines)):
            m = lines[n]
            if m[NEXT] == i and (steps == 4 or m[QUEUED] > 0.0):
                day, mine = days[n, i] if days.shape[1] > 0 else 0.0, orders[n * room : (n + 1) * room]
                trade_line(
                    a, m, mine, charges, fills, i, day, open_[n], high[n], low[n], volume[n], spread[n], first, upto
                )
        first, upto = upto, steps
        for n in range(len(lines) if first < steps else 0):
            lines[n, BESIDE] = beside(a, lines, close, n, i - 1)
    for n in range(len(lines)):
        lines[n, RATIO] = 1.0


def _signature(t: Any) -> Any:
    written = (t.out, *[t.out_table] * 3, t.out, t.out_table)
    return t.void(*[t.table] * 9, t.ints, t.ints, t.table, t.table, *written)


@compiled(_signature, allocates=False)
def simulate_joint(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    spread: Floats,
    targets: Floats,
    scale: Floats,
    days: Floats,
    day_last: Ints,
    event_at: Ints,
    events: Floats,
    charges: Floats,
    a: Floats,
    lines: Floats,
    orders: Floats,
    path: Floats,
    day_equity: Floats,
    fills: Floats,
) -> None:
    """Runs all moments on the settings in `a` and in the row of `lines` that each instrument has, and reports there.

    Columns have a row for each instrument and a place for each moment, NaN where it has no bar then; `close` has its
    last one instead, on the price grid, and 0 before the first; `days` is as `trade_line` has it, without columns where
    no order waits for a second bar. `orders` has as many rows for each instrument; where they are too few, `a[CROWDED]`
    says so and the run ends. `events` has (kind, instrument, nights or new shares
    for an old one, dividend a share) for each of the moments `event_at`. Also writes `path` (equity, cash and each
    quantity by moment; without columns it is not wanted), `day_equity` at the moments `day_last`, and `fills` as far as
    there is room; `a[FILLS]` says how many there were.
    """
    guards = a[STOP_LOSS] + a[TAKE_PROFIT] + a[TRAILING] + a[MAINTENANCE] > 0.0
    count, moments = close.shape
    at_close, scaled = a[FILL_AT] == AT_CLOSE, scale.shape[1] > 0
    event, day, begun, i, room = 0, 0, 0, -1, len(orders) // count
    a[HELD_CASH] = a[LOWEST_CASH] = a[CASH]
    for n in range(count):
        lines[n, NEXT], lines[n, BESIDE], lines[n, RATIO] = -1.0, nan, 1.0
    while True:
        now = moments if event == len(event_at) else event_at[event]
        for n in range(count):
            if lines[n, NEXT] == i:
                lines[n, TAKEN] = 0.0
                lines[n, NEXT] = next_of(lines[n], targets[n], open_[n], i + 1, guards)
            now = min(now, int(lines[n, NEXT]))
        if path.shape[1] > 0:
            for n in range(count):
                cash, held, units = a[HELD_CASH], lines[n, HELD], lines[n, HELD] * lines[n, MULTIPLIER]
                for j in range(begun, now):
                    path[0, j] = (path[0, j] if n > 0 else cash) + units * close[n, j]
                    path[1, j], path[2 + n, j] = cash, held
        while day < len(day_last) and day_last[day] < now:
            day_equity[day] = worth(a, lines, close, day_last[day])
            day += 1
        if now == moments:
            break
        begun = i = now
        while event < len(event_at) and event_at[event] == i:
            n, factor = int(events[event, OF_LINE]), events[event, FACTOR]
            if events[event, KIND] == A_NIGHT:
                carry(a, lines, close, i - 1, factor)
            elif events[event, KIND] == GOES_EX:
                mine = orders[n * room : (n + 1) * room]
                go_ex(a, lines[n], mine, factor, events[event, DIVIDEND], close[n, i - 1])
            else:
                lines[n, RESTORE], lines[n, NEXT] = 1.0, i
            event += 1
        opens, highs, lows, meets, fills_now = open_, high, low, 4 if guards else 2, False
        while True:
            meet_bars(a, lines, orders, charges, fills, i, days, opens, highs, lows, close, volume, spread, meets)
            if fills_now:
                break
            equity = nan
            for n in range(count):
                m, target = lines[n], targets[n, i]
                changes = target < m[TARGET] or target > m[TARGET]
                if m[NEXT] != i or not (changes or m[RESTORE] > 0.0):
                    continue
                if abs(target) > 1.0:
                    a[BAD_TARGET], a[LINE] = i + 1.0, n
                    return
                if isnan(equity):
                    equity = worth(a, lines, close, i)
                if changes:
                    m[TARGET] = target
                m[RESTORE] = 0.0
                if m[QUEUED] + FIRST + 3 > room:
                    a[CROWDED] = 1.0
                    return
                mine = orders[n * room : (n + 1) * room]
                if steer(a, m, mine, m[TARGET], equity, close[n, i], scale[n, i] if scaled else nan):
                    fills_now = at_close
            if not fills_now:
                break
            opens = highs = lows = close
            meets = 2
    a[FINAL_EQUITY] = worth(a, lines, close, moments - 1)
    for n in range(count):
        if lines[n, HELD] != 0.0:
            a[HELD] += 1.0
