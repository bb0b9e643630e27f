"""The rules of the compiled engine in plain words and plain Python, written apart from it: slow, and easy to read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, floor, isnan, nan

from evenkeel.market.bars import Bars


@dataclass
class Rules:
    """The terms in floats; `size` maps (target, equity, price) to an uncut quantity, `fee` (side, quantity, value)."""

    cash: float = 100_000.0
    lot: float = 1.0
    tick: float = 0.01
    size_by: str = "equity"
    size: float = 1.0
    fill: str = "next-open"
    offset: float = 0.0
    bps: float = 0.0
    rate: float = 0.0
    stop_loss: float = 0.0
    take_profit: float = 0.0
    trailing: float = 0.0


@dataclass
class Account:
    cash: float
    held: float = 0.0
    entry: float = nan
    best: float = nan
    fills: list[tuple[int, int, float, float, str]] = field(default_factory=list)
    inside: bool = False


def simulated(bars: Bars, targets: list[float], rules: Rules) -> tuple[list[float], Account]:
    """(equity by bar, the account at the end)."""
    account, target, limit = Account(rules.cash), 0.0, nan
    orders: list[float] = []
    equity: list[float] = []
    for i in range(len(bars)):
        bar = bars.bar(i)
        ohl = (bar.open, bar.high, bar.low)
        account.inside = False
        for order in meeting(account, orders):
            price = price_for(rules, order, limit, *ohl)
            execute(account, rules, i, order, price, "signal")
            account.inside |= not isnan(price) and rules.fill == "limit" and waits(rules, order, limit, bar.open)
        orders = []
        if account.held:
            protect(account, rules, i, *ohl)
        wish = targets[i]
        if not isnan(wish) and wish != target:
            target = wish
            worth = account.cash + account.held * bar.close
            wanted = whole(quantity(rules, target, worth, bar.close), rules.lot)
            orders, limit = legs(account.held, wanted), bar.close
            if rules.fill == "close":
                for order in meeting(account, orders):
                    price = price_for(rules, order, limit, bar.close, bar.close, bar.close)
                    execute(account, rules, i, order, price, "signal")
                orders = []
        equity.append(account.cash + account.held * bar.close)
    return equity, account


def quantity(rules: Rules, target: float, worth: float, price: float) -> float:
    if rules.size_by == "units":
        return target * rules.size
    if rules.size_by == "cash":
        return target * rules.size / price
    return target * rules.size * worth / price if worth > 0 else 0.0


def whole(quantity_: float, lot: float) -> float:
    lots = floor(abs(quantity_) / lot + 1e-9)
    return lots * lot if quantity_ > 0 else -lots * lot


def legs(held: float, wanted: float) -> list[float]:
    if wanted == held:
        return []
    return [-held, wanted] if held * wanted < 0 else [wanted - held]


def meeting(account: Account, orders: list[float]) -> list[float]:
    """Of two legs the second waits for the first: it is dropped where the first has left something."""
    if len(orders) < 2:
        return orders
    return _Legs(account, orders)


class _Legs(list[float]):
    def __init__(self, account: Account, orders: list[float]) -> None:
        super().__init__(orders)
        self.account = account

    def __iter__(self) -> Iterator[float]:
        yield self[0]
        if not self.account.held:
            yield self[1]


def price_for(rules: Rules, order: float, limit: float, open_: float, high: float, low: float) -> float:
    side = 1 if order > 0 else -1
    if rules.fill != "limit":
        return on_grid(open_ * (1 + side * rules.bps / 10_000), side, rules.tick)
    return limit_price(rules, side, limit_level(rules, side, limit), open_, high, low)


def limit_level(rules: Rules, side: int, limit: float) -> float:
    """A limit is no worse than was asked: below for a buy, above for a sale."""
    return on_grid(limit * (1 - side * rules.offset), -side, rules.tick)


def waits(rules: Rules, order: float, limit: float, open_: float) -> bool:
    """Whether an order that fills in this bar does so inside it, and not at its open."""
    side = 1 if order > 0 else -1
    return side * open_ > side * limit_level(rules, side, limit)


def limit_price(rules: Rules, side: int, level: float, open_: float, high: float, low: float) -> float:
    if side * open_ <= side * level:
        moved = open_ * (1 + side * rules.bps / 10_000)
        return on_grid(min(moved, level) if side > 0 else max(moved, level), side, rules.tick)
    reached = low <= level if side > 0 else high >= level
    return on_grid(level, side, rules.tick) if reached else nan


def on_grid(price: float, side: int, tick: float) -> float:
    ticks = price / tick
    if abs(ticks - round(ticks)) <= 1e-6:
        return round(ticks) * tick
    return (ceil(ticks) if side > 0 else floor(ticks)) * tick


def execute(account: Account, rules: Rules, i: int, order: float, price: float, why: str) -> None:
    if isnan(price):
        return
    if not account.held:
        account.entry = account.best = price
    elif account.held * order > 0:
        size = abs(account.held) + abs(order)
        account.entry = (account.entry * abs(account.held) + price * abs(order)) / size
    account.cash -= order * price + abs(order) * price * rules.rate
    account.held += order
    account.fills.append((i, 1 if order > 0 else -1, abs(order), price, why))


def protect(account: Account, rules: Rules, i: int, open_: float, high: float, low: float) -> None:
    """A stop or a profit target closes the position inside the bar."""
    long = account.held > 0
    side = -1 if long else 1
    stops = []
    if rules.stop_loss:
        stops.append((account.entry * (1 + side * rules.stop_loss), "stop-loss"))
    if rules.trailing:
        stops.append((account.best * (1 + side * rules.trailing), "trailing-stop"))
    if not account.inside:
        account.best = max(account.best, high) if long else min(account.best, low)
    stop, why = (max(stops) if long else min(stops)) if stops else (nan, "")
    if len(stops) == 2 and stops[0][0] == stops[1][0]:
        why = "stop-loss"
    stop = stop if isnan(stop) else on_grid(stop, side, rules.tick)
    has_goal = rules.take_profit and not account.inside
    goal = on_grid(account.entry * (1 - side * rules.take_profit), -side, rules.tick) if has_goal else nan
    stopped = not isnan(stop) and (low <= stop if long else high >= stop)
    reached = not isnan(goal) and (high >= goal if long else low <= goal)
    if stopped and reached:
        stopped = first_is_stop(long, stop, goal, open_, high, low)
        reached = not stopped
    if stopped:
        met = min(open_, stop) if long else max(open_, stop)
        price = on_grid(met * (1 + side * rules.bps / 10_000), side, rules.tick)
        execute(account, rules, i, -account.held, price, why)
    elif reached:
        execute(account, rules, i, -account.held, limit_price(rules, side, goal, open_, high, low), "take-profit")


def first_is_stop(long: bool, stop: float, goal: float, open_: float, high: float, low: float) -> bool:
    if open_ >= goal if long else open_ <= goal:
        return False
    if open_ <= stop if long else open_ >= stop:
        return True
    up, down = high - open_, open_ - low
    return down <= up if long else up <= down
