"""What the vigil reports: planned restarts of brokers, accounts that stay away, feeds that fall silent.

None of it is a fact of ours but what follows: readiness and alerts are recorded, and a restart measures the rest anew.
While a broker rests its accounts are NOT READY: what adds risk is refused, what closes a position is held here until
the restart is over and the account has been compared. Of an instrument that is silent, orders that would fill at
whatever price there is are refused, but those that only reduce.
"""

from evenkeel.domain import events as e
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import iso
from evenkeel.domain.limits import Layer
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState
from evenkeel.domain.records import ReadinessChanged
from evenkeel.trading.engine.effects import WantReconcile
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk.view import Stop

STALE = "stale-price"
MOST_NAMED = 5
_AT_ANY_PRICE = (OrderKind.MARKET, OrderKind.STOP, OrderKind.TRAILING_STOP)


def rests(turn: Turn, event: e.BrokerRests) -> None:
    """Closes the gate as a planned restart begins, and has it opened by a reconcile once it is over."""
    state = turn.state
    ours = [held for held in state.accounts.values() if held.account.broker == event.broker]
    if event.until:
        state.resting[event.broker] = event.until
        for held in ours:
            keep_shut(turn, held)
        if ours:
            message = f"{event.broker} {_why(event.until)}: nothing is sent to it, and what closes a position waits"
            turn.alert("info", "broker-restart", message)
    elif state.resting.pop(event.broker, None) is not None and event.connected:
        for held in ours:
            _shut(turn, held, "the planned restart is over, and it is not reconciled yet")
            turn.effects.append(WantReconcile(held.account.id, "the planned restart is over"))


def _why(until: int) -> str:
    return f"restarts as planned until {iso(until)}"


def keep_shut(turn: Turn, held: AccountState) -> None:
    """An account whose broker rests is not ready, whatever a picture of it has shown."""
    until = turn.state.resting.get(held.account.broker)
    if until is not None:
        _shut(turn, held, f"its broker {_why(until)}")


def _shut(turn: Turn, held: AccountState, reason: str) -> None:
    if held.readiness is not Readiness.BLOCKED and held.readiness_reason != reason:
        turn.emit(
            ReadinessChanged(at=turn.at, account_id=held.account.id, readiness=Readiness.NOT_READY, reason=reason)
        )


def away(turn: Turn, event: e.AccountAway) -> None:
    """Tells a person of an account that cannot be traded while its market trades."""
    held = turn.state.account(event.account_id)
    if held.readiness is Readiness.READY:
        return
    why = held.readiness_reason or "it has not been reconciled"
    message = (
        f"{held.account.name} cannot be traded for {event.seconds} seconds while its market is open: {why}. "
        "Look at the broker itself; what is open there is not watched from here"
    )
    turn.alert("critical", "account-away", message, account_id=event.account_id)


def silent(turn: Turn, event: e.FeedSilent) -> None:
    """Takes what is silent now, and tells a person of what has become so."""
    state, marks = turn.state, turn.state.marks
    news = [name for name in event.seconds if name not in marks.silent and name in state.instruments]
    if event.stalled and not marks.stalled:
        message = f"The feed has handed over nothing for {event.stalled} seconds: see what it waits for"
        turn.alert("critical", "feed-stalled", message)
    marks.silent = dict(event.seconds)
    marks.stalled, marks.silence = event.stalled, event.limit
    if not news:
        return
    is_all = len(event.seconds) > 1 and len(event.seconds) == event.watched
    age = max(event.seconds[name] for name in news)
    what = "any instrument" if is_all else _named(state, news)
    message = (
        f"No price of {what} has come for {age} seconds of their session: look at the data connection. Market and stop "
        "orders in it are refused until one does"
    )
    waiting = sum(_waits(order) for name in news for order in state.watched.get(name, {}).values())
    if waiting:
        orders = "1 order that rests" if waiting == 1 else f"{waiting} orders that rest"
        message += f"; {orders} here cannot be set off meanwhile"
    turn.alert("critical", "feed-silent", message)


def heard(turn: Turn, event: MarketSlice) -> None:
    """A price has come of what was silent."""
    state, quiet = turn.state, turn.state.marks.silent
    shown = [*(bar.instrument_id for bar in event.bars), *(quote.instrument_id for quote in event.quotes)]
    back = [name for name in dict.fromkeys(shown) if quiet.pop(name, None) is not None]
    if back:
        turn.alert("info", "feed-back", f"Prices of {_named(state, back)} come again")


def _named(state: State, names: list[str]) -> str:
    symbols = [state.instruments[name].symbol for name in names]
    more = len(symbols) - MOST_NAMED
    shown = ", ".join(symbols[:MOST_NAMED])
    return f"{shown} and {more} other{'s' if more > 1 else ''}" if more > 0 else shown


def _waits(order: Order) -> bool:
    """Whether only a price can set it off, or move it."""
    kept = order.kept
    return kept is not None and not kept.begins and (order.state is OrderState.HELD or kept.trail is not None)


def stop_of(state: State, spec: OrderSpec) -> Stop | None:
    """What keeps an order from the market that would fill at a price nobody has seen."""
    age = state.marks.silent.get(spec.instrument_id)
    if age is None or spec.kind not in _AT_ANY_PRICE:
        return None
    symbol, limit = state.instruments[spec.instrument_id].symbol, state.marks.silence
    why = f"no price of {symbol} has come for {age} seconds of its session: use a limit, or wait for the feed"
    return Stop(Layer.INSTRUMENT, str(age), why, entries_only=True, check=STALE, limit=f"{limit} s")


def why_held(state: State, order: Order) -> str | None:
    """Why an order that is held here does not go out, where that is more than that its price has not come."""
    kept, held = order.kept, state.accounts[order.spec.account_id]
    if order.state is not OrderState.HELD or kept is None:
        return None
    until = state.resting.get(held.account.broker)
    if until is not None and kept.begins == until:
        return f"the broker {_why(until)}; it goes out then, once the account has been compared"
    if kept.reached:
        return f"set off, and waits: the account is {held.readiness}: {held.readiness_reason or 'not reconciled'}"
    age = state.marks.silent.get(order.spec.instrument_id)
    if age is not None and _waits(order):
        return f"no price has come for {age} seconds of the session, so that it cannot be set off"
    return None
