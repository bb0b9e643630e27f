"""Exits that guard a position: at which prices they rest, and which of two comes first within a bar.

A stop lies a fraction from the price of entry, a trailing stop from the best price since, and a liquidation where
equity no longer covers what is held; of these the nearest to the market stands. A profit target lies on the other side.
All rest on the price grid, no nearer to the market than was asked.

Within one bar the order decided at the close before comes first, then the exits of what is held after it. A position
that was entered, added to or reduced inside the bar and not at its open has only its stop there: it may have been
elsewhere before, so its target and its trail begin with the next bar. A stop and a target reached in one bar are
decided by the path open, nearer extreme, farther extreme, close; where both are equally near, the stop comes first.
"""

from math import floor, inf, nan

from evenkeel.quant.kernels import kernel

STOPPED, TOOK_PROFIT, TRAILED, LIQUIDATED = 1, 2, 3, 4


@kernel
def on_tick(price: float, side: int, tick: float) -> float:
    """A price on the grid: up for a side above 0, down below; without a grid (0) as it is.

    It is the float nearest to so many ticks, as a price that is read or booked is: 140.7, not 14070 × 0.01.
    """
    if tick == 0.0:
        return price
    ticks = price / tick
    near = float(floor(ticks + 0.5))
    if abs(ticks - near) > 1e-6:
        near = floor(ticks) + 1.0 if side > 0 else float(floor(ticks))
    parts = floor(1.0 / tick + 0.5)
    return near / parts if abs(parts * tick - 1.0) < 1e-9 else near * tick


@kernel
def parts_of(tick: float) -> float:
    """How many ticks make one unit of price, where that is a whole number; else 0."""
    parts = floor(1.0 / tick + 0.5) if tick > 0.0 else 0.0
    return float(parts) if abs(parts * tick - 1.0) < 1e-9 else 0.0


@kernel
def counted(size: float, price: float, multiplier: float, parts: float) -> float:
    """size × price × multiplier in ticks, `parts` of which make a unit of price; without a grid (0) as it is."""
    if parts == 0.0:
        return size * price * multiplier
    return float(size * multiplier * floor(price * parts + 0.5))


@kernel
def value_of(count: float, parts: float) -> float:
    """What so many ticks are worth: the float nearest to the exact value wherever they are a whole number, so that a
    charge on it is rounded as on the exact one.
    """
    return count / parts if parts > 0.0 else count


@kernel
def exit_levels(
    side: int,
    entry: float,
    best: float,
    stop_loss: float,
    take_profit: float,
    trailing: float,
    liquidation: float,
    tick: float,
) -> tuple[float, int, float]:
    """(stop, which rule stands behind it, profit target) of a position, on the grid; NaN where there is none.

    `side` is 1 for a long and -1 for a short; a fraction of 0 is not used, nor a `liquidation` price of NaN.
    """
    stop, why, goal = -side * inf, STOPPED, nan
    if stop_loss > 0.0:
        stop = entry * (1.0 - side * stop_loss)
    if trailing > 0.0:
        level = best * (1.0 - side * trailing)
        if level * side > stop * side:
            stop, why = level, TRAILED
    if liquidation > 0.0 and liquidation * side > stop * side:
        stop, why = liquidation, LIQUIDATED
    if take_profit > 0.0:
        goal = on_tick(entry * (1.0 + side * take_profit), side, tick)
    stop = nan if abs(stop) == inf else on_tick(stop, -side, tick)
    return stop, why, goal


@kernel
def liquidation_price(free: float, units: float, maintenance: float) -> float:
    """The price at which equity covers just `maintenance` of the value of `units` (quantity × multiplier, signed).

    `free` is cash and, with more than one position, what the others are worth less what they need. NaN where there is
    no such price.
    """
    needs = units - maintenance * abs(units)
    if needs == 0.0:
        return nan
    price = -free / needs
    return price if price > 0.0 else nan


@kernel
def stop_comes_first(side: int, stop: float, goal: float, open_: float, high: float, low: float) -> bool:
    """Whether a bar that reaches both closes the position at its stop; `side` is that of the closing order."""
    up, down = high - open_, open_ - low
    if open_ >= goal if side < 0 else open_ <= goal:
        return False
    if open_ <= stop if side < 0 else open_ >= stop:
        return True
    return down <= up if side < 0 else up <= down
