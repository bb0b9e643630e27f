"""A panic of the whole platform, in the worst of hours: full queues, strategies run wild, and a kill halfway.

Every account has its own limiter. What must be asked of the broker, less the tokens at hand, over the rate is the least
time that any program could take; the time taken is printed beside it.
"""

import re
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.desk import Desk, doctor
from benchmarks.machine import facts, spread
from benchmarks.order_path import desk_of, fold, symbols_of
from evenkeel.domain.orders import OrderState
from evenkeel.domain.provenance import Source
from evenkeel.trading.engine.state import State

SECONDS = 120.0
LOOK = 0.03
QUEUE = 20
DEADLINE = "0.5"
PANIC = {"scope": "platform", "cooldown": 0}
WILD = {
    "runaway": '''"""Orders in every account at every bar, and never stops."""

from decimal import Decimal

from evenkeel.domain.orders import TimeInForce
from evenkeel.trading.strategies import Strategy


class Runaway(Strategy):
    name = "runaway"
    version = "1"
    title = "Runaway"
    description = "Orders in every account at every bar, and never stops."

    def on_bar(self, ctx, bar):
        for _ in range(2):
            ctx.buy(1, limit=Decimal(1), time_in_force=TimeInForce.GTC)
''',
    "endless": '''"""Never comes back from its first bar."""

from evenkeel.trading.strategies import Strategy


class Endless(Strategy):
    name = "endless"
    version = "1"
    title = "Endless"
    description = "Never comes back from its first bar."

    def on_bar(self, ctx, bar):
        while True:
            pass
''',
}


def order_of(account_id: str, symbol: str, *, price: str | None = None) -> dict[str, Any]:
    """A share at the market, or at a limit that no market here comes near."""
    body = {"account_id": account_id, "symbol": symbol, "side": "BUY", "quantity": "1", "kind": "MARKET"}
    return body if price is None else body | {"kind": "LIMIT", "limit_price": price, "time_in_force": "GTC"}


def _with_strategies(home: Path) -> None:
    folder = home / "strategies"
    folder.mkdir(parents=True)
    for name, code in WILD.items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")


def _deploy(desk: Desk, template: str, accounts: list[str], symbol: str) -> None:
    shares = [{"account_id": account_id, "allocation": "0.001"} for account_id in accounts]
    desk.call("POST", "/strategies", name=template, template=template, symbols=[symbol], accounts=shares)


def _fill(desk: Desk, accounts: list[str]) -> None:
    """Waits until the queues are full, or no fuller than they have been for a second. Raises RuntimeError."""
    most, since = 0.0, time.monotonic()
    while most < 0.95 * QUEUE * len(accounts) and time.monotonic() - since < (1.0 if most else SECONDS):
        queued = _sending(desk)[1]
        if queued > most:
            most, since = queued, time.monotonic()
    if not most:
        raise RuntimeError("the runaway has not ordered anything")


def _statuses(desk: Desk) -> dict[str, str]:
    return {one["name"]: one["status"] for one in desk.call("GET", "/strategies")["items"]}


def _limit(desk: Desk, accounts: list[str], rate: float) -> None:
    """Gives each account a limiter; of its burst, which is as large as its rate, two are reserved."""
    bucket = {"per_second": rate, "burst": max(4, int(rate)), "reserved": 2, "queue": QUEUE}
    for account_id in accounts:
        desk.call("PATCH", f"/accounts/{account_id}/limits", rate=bucket)


def _set_up(desk: Desk, *, accounts: int, orders: int, positions: int) -> tuple[list[str], list[str]]:
    """Accounts that hold `positions` and have `orders` resting."""
    symbols = symbols_of(desk)
    ids = [desk.open_account(f"Account {number}") for number in range(accounts)]
    bodies = [order_of(one, symbol) for one in ids for symbol in symbols[:positions]]
    bodies += [order_of(one, symbols[n % len(symbols)], price="1") for one in ids for n in range(orders)]
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda body: desk.call("POST", "/trading/orders", **body), bodies))
    if any(one["state"] == "REFUSED" for one in placed):
        raise RuntimeError(f"an order was refused: {placed[0]['reason']}")
    for account_id in ids:
        _await(desk, account_id, working=orders)
    return ids, symbols


def _await(desk: Desk, account_id: str, *, working: int) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if desk.call("GET", f"/accounts/{account_id}")["open_orders"] == working:
            return
        time.sleep(0.05)
    raise RuntimeError("orders did not come to rest")


def _until(desk: Desk, wanted: Any) -> dict[str, Any]:
    """The panic once `wanted` is true of it. Raises RuntimeError after two minutes."""
    end, shown = time.monotonic() + SECONDS, dict[str, Any]()
    while time.monotonic() < end:
        (shown,) = desk.call("GET", "/risk/panic")["items"]
        if wanted(shown):
            found: dict[str, Any] = shown
            return found
        time.sleep(LOOK)
    raise RuntimeError(f"the panic has not finished: {shown.get('orders_left')}, {shown.get('positions_left')}")


def _asked(state: State) -> Counter[str]:
    """By account, what the panic has asked of the broker: cancels of what was there, and orders to close."""
    found: Counter[str] = Counter()
    (halt,) = state.halts.values()
    for order in state.orders.values():
        if order.source == Source.PANIC or (order.id in halt.asked and order.has_venue_event):
            found[order.spec.account_id] += 1
    return found


def _checked(home: Path, accounts: int) -> State:
    """Proves that nothing works and nothing is held. Raises RuntimeError."""
    report = doctor(home)
    state, _ = fold(home, None)
    working = sum(len(held.working) for held in state.accounts.values())
    held = sum(1 for account in state.accounts.values() for net in account.net.values() if net)
    short = sum(1 for account in state.accounts.values() for net in account.net.values() if net < 0)
    if working or held or short or len(state.accounts) != accounts or not report["ok"]:
        raise RuntimeError(f"{working} orders work, {held} positions are held, {short} of them short")
    return state


def _sending(desk: Desk) -> tuple[dict[str, float], float]:
    """Tokens at hand by account, and how many orders wait, as one look at the metrics has it."""
    text = desk.metrics()
    tokens = re.findall(r'^evenkeel_send_tokens{.*account_id="([^"]+)"} (\S+)$', text, re.MULTILINE)
    waiting = re.findall(r'^evenkeel_send_queue{.*lane="open"} (\S+)$', text, re.MULTILINE)
    return {account_id: float(value) for account_id, value in tokens}, sum(map(float, waiting))


def _pressed(home: Path, *, accounts: int, orders: int, positions: int, rate: float) -> dict[str, Any]:
    """Presses while the queues are full and one strategy keeps filling them, and another has just run into its loop."""
    _with_strategies(home)
    with desk_of(home, strategy_deadline=DEADLINE) as desk:
        ids, symbols = _set_up(desk, accounts=accounts, orders=orders, positions=positions)
        _limit(desk, ids, rate)
        _deploy(desk, "runaway", ids, symbols[0])
        _fill(desk, ids)
        _deploy(desk, "endless", ids[:1], symbols[0])
        time.sleep(0.2)  # a few bars, so that it is in its loop
        statuses, looked, (tokens, queued) = _statuses(desk), time.perf_counter(), _sending(desk)
        begun = time.perf_counter()
        desk.call("POST", "/risk/panic", **PANIC)
        answered = time.perf_counter() - begun
        shown = _until(desk, lambda one: one["state"] == "done")
        taken = time.perf_counter() - begun
        after = _statuses(desk)
    state = _checked(home, accounts)
    asked = _asked(state)
    least = max((asked[one] - tokens[one]) / rate for one in ids) - (begun - looked)
    dropped = sum(1 for order in state.orders.values() if order.state is OrderState.EXPIRED_UNSENT)
    return {
        "requests": sum(asked.values()),
        "most_of_one_account": max(asked.values()),
        "queued_when_pressed": int(queued),
        "queues_hold_at_most": accounts * QUEUE,
        "tokens_when_pressed": spread(list(tokens.values()), digits=2),
        "dropped_unsent": dropped,
        "refused_for_a_full_queue": sum(1 for order in state.orders.values() if order.rule == "queue-full"),
        "strategies": {"when_pressed": statuses, "in_the_end": after},
        "rounds": shown["round"],
        "pressed_to_202_s": round(answered, 3),
        "seconds": round(taken, 3),
        "least_possible_s": round(least, 3),
        "above_the_least_s": round(taken - least, 3),
    }


def _killed(home: Path, *, accounts: int, orders: int, positions: int, rate: float) -> dict[str, Any]:
    """The same, killed once half of it is done; then the desk is started again."""
    whole = accounts * orders
    with desk_of(home) as desk:
        ids, _ = _set_up(desk, accounts=accounts, orders=orders, positions=positions)
        _limit(desk, ids, rate)
        desk.call("POST", "/risk/panic", **PANIC)
        _until(desk, lambda one: one["orders_left"] <= whole // 2)
        desk.kill()
    left, _ = fold(home, None)
    working = sum(len(held.working) for held in left.accounts.values())
    begun = time.perf_counter()
    with desk_of(home) as desk:
        ready = time.perf_counter() - begun
        _until(desk, lambda one: one["state"] == "done")
        taken = time.perf_counter() - begun
    _checked(home, accounts)
    return {
        "working_when_killed": working,
        "started_to_ready_s": round(ready, 3),
        "started_to_done_s": round(taken, 3),
        "nothing_is_left": True,
    }


def panic(*, accounts: int = 50, orders: int = 20, positions: int = 2, rate: float = 10.0) -> dict[str, Any]:
    """Accounts, resting orders and positions of each, and how many requests a second each may send."""
    scene: dict[str, Any] = {"accounts": accounts, "orders": orders, "positions": positions, "rate": rate}
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        pressed = _pressed(Path(folder) / "home", **scene)
        killed = _killed(Path(folder) / "again", **scene)
        return {
            "benchmark": "panic",
            "what": f"{accounts} accounts with {orders} resting orders and {positions} positions each, limiters at "
            f"{rate:g} requests a second, queues full, one strategy that orders without end, one that never returns",
            "result": pressed,
            "killed_halfway": killed,
            "machine": facts(Path(folder)),
        }
