"""Records in words: what the event feed says of a committed record. Pure, and empty for records of no interest.

Alerts speak for themselves; the rest are lines about fills, refusals, orders that ended, splits, days, switches and
the end of a feed.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from evenkeel.domain import clock
from evenkeel.domain import records as r
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched
from evenkeel.domain.held_records import OrderReleased
from evenkeel.domain.money import mul
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.records import AnyRecord
from evenkeel.domain.walkforward import SessionMoved
from evenkeel.server.schemas import EventOut
from evenkeel.server.views import text
from evenkeel.trading.engine.state import State

_ENDED = {
    OrderState.CANCELLED: ("info", "order-cancelled", "cancelled"),
    OrderState.EXPIRED: ("info", "order-expired", "expired"),
    OrderState.REJECTED: ("warning", "order-rejected", "rejected by the broker"),
}


def line(state: State, record: AnyRecord, seq: int) -> EventOut | None:
    """The event of a record with sequence number `seq`; `state` gives names and must hold the record."""
    make = _LINES.get(type(record))
    return make(state, record, seq) if make is not None else None


def _event(record: AnyRecord, seq: int, kind: str, message: str, **more: str | None) -> EventOut:
    return EventOut(
        id=f"{seq}",
        at=clock.iso(record.at),
        level=more.get("level") or "info",  # type: ignore[arg-type]
        kind=kind,
        message=message,
        account_id=more.get("account_id"),
        order_id=more.get("order_id"),
        deployment_id=more.get("deployment_id"),
    )


def _who(state: State, account_id: str, *, book: str) -> str:
    """The account's name and, for a strategy's book, the strategy's."""
    name = state.accounts[account_id].account.name
    deployment = state.deployments.get(book)
    return f"{name} ({deployment.deployment.name})" if deployment is not None else name


def _deployment_of(state: State, book: str) -> str | None:
    return book if book in state.deployments else None


def _asked(state: State, spec: OrderSpec, *, quantity: Decimal) -> str:
    """An order in words, such as BUY 10 AAPL at limit 52.30."""
    prices = {
        OrderKind.MARKET: "",
        OrderKind.LIMIT: f" at limit {spec.limit_price}",
        OrderKind.STOP: f" at stop {spec.stop_price}",
        OrderKind.STOP_LIMIT: f" at stop {spec.stop_price} limit {spec.limit_price}",
        OrderKind.TRAILING_STOP: " at a trailing stop",
        OrderKind.TRAILING_STOP_LIMIT: " at a trailing stop with a limit",
    }
    trigger = "" if spec.trigger is None else f" once it is at {spec.trigger.price}"
    return f"{spec.side} {text(quantity)} {state.instruments[spec.instrument_id].symbol}{prices[spec.kind]}{trigger}"


def _alert(state: State, record: r.AlertRaised, seq: int) -> EventOut:
    about = {"account_id": record.account_id, "order_id": record.order_id, "deployment_id": record.deployment_id}
    event = _event(record, seq, record.kind, record.message, level=record.level, **about)
    event.id = record.id
    return event


def _filled(state: State, record: r.FillBooked, seq: int) -> EventOut:
    fill = record.fill
    verb = "bought" if fill.side is Side.BUY else "sold"
    symbol = state.instruments[fill.instrument_id].symbol
    who = _who(state, fill.account_id, book=fill.book)
    rest = "" if record.state is OrderState.FILLED else f"; the order is {record.state.lower().replace('_', ' ')}"
    undone = "an execution was taken back: " if fill.reverses is not None else ""
    return _event(
        record,
        seq,
        "fill",
        f"{who}: {undone}{verb} {text(fill.quantity)} {symbol} at {text(fill.price)}{rest}",
        account_id=fill.account_id,
        order_id=fill.order_id,
        deployment_id=_deployment_of(state, fill.book),
    )


def _decided(state: State, record: r.OrderDecided, seq: int) -> EventOut | None:
    if record.approved:
        return None
    spec = record.spec
    asked, why = _asked(state, spec, quantity=spec.quantity), record.checks[-1].reason
    return _event(
        record,
        seq,
        "order-refused",
        f"{_who(state, spec.account_id, book=spec.book)}: {asked} refused: {why}",
        level="warning",
        account_id=spec.account_id,
        order_id=record.order_id,
        deployment_id=_deployment_of(state, spec.book),
    )


def _moved(state: State, record: r.OrderMoved, seq: int) -> EventOut | None:
    if record.state not in _ENDED:
        return None
    order = state.orders[record.order_id]
    level, kind, said = _ENDED[record.state]
    why = f": {record.reason}" if record.reason else ""
    who = _who(state, order.spec.account_id, book=order.spec.book)
    return _event(
        record,
        seq,
        kind,
        f"{who}: {_asked(state, order.spec, quantity=order.quantity)} {said}{why}",
        level=level,
        account_id=order.spec.account_id,
        order_id=order.id,
        deployment_id=_deployment_of(state, order.spec.book),
    )


def _released(state: State, record: OrderReleased, seq: int) -> EventOut | None:
    """What is refused raises an alert."""
    if not record.approved:
        return None
    spec = state.orders[record.order_id].spec
    return _event(
        record,
        seq,
        "order-released",
        f"{_who(state, spec.account_id, book=spec.book)}: {_asked(state, spec, quantity=record.quantity)} goes out now",
        account_id=spec.account_id,
        order_id=record.order_id,
        deployment_id=_deployment_of(state, spec.book),
    )


def _split(state: State, record: r.SplitApplied, seq: int) -> EventOut:
    split = record.split
    symbol = state.instruments[split.instrument_id].symbol
    held = len(record.positions)
    positions = f"{held} position{'' if held == 1 else 's'} adjusted" if held else "no position held"
    message = f"{symbol} split {text(split.numerator)} for {text(split.denominator)}: {positions}"
    return _event(record, seq, "split", message)


def _day(state: State, record: r.DayClosed, seq: int) -> EventOut:
    account = state.accounts[record.account_id].account
    message = f"{account.name}: {record.session_date} closed with equity {record.equity:,.2f} {account.currency}"
    return _event(record, seq, "day-closed", message, account_id=account.id)


def _deployed(state: State, record: r.DeploymentChanged, seq: int) -> EventOut | None:
    this = record.deployment
    shares = ", ".join(
        f"{_percent(one.share)} of {state.accounts[one.account_id].account.name}"
        for one in this.accounts
        if one.account_id in state.accounts
    )
    if this.paused is not None or not this.is_on:
        return None
    if this.removed:
        return _event(record, seq, "strategy", f"{this.name} was removed", deployment_id=this.id)
    how = f"on, with {shares or 'no account'}" if this.enabled else "off"
    return _event(record, seq, "strategy", f"{this.name} is {how}", deployment_id=this.id)


def _percent(share: Decimal) -> str:
    return f"{mul(share, Decimal(100)).normalize():f} %"


def _opened(state: State, record: r.AccountOpened, seq: int) -> EventOut:
    this = record.account
    return _event(record, seq, "account-opened", f"{this.name} opened: a {this.mode} account", account_id=this.id)


def _switched(state: State, record: AccountSwitched, seq: int) -> EventOut:
    name = state.accounts[record.account_id].account.name
    why = f": {record.reason}" if record.reason else ""
    message = f"{name} is {'in use again' if record.active else 'out of use'}{why}"
    return _event(record, seq, "account", message, account_id=record.account_id)


def _renamed(state: State, record: AccountRenamed, seq: int) -> EventOut:
    return _event(record, seq, "account", f"The account is called {record.name} now", account_id=record.account_id)


def _session(state: State, record: SessionMoved, seq: int) -> EventOut:
    this = state.walkforwards[record.session_id].session
    why = f": {record.reason}" if record.reason else ", what it holds is being closed" if record.close else ""
    return _event(record, seq, "session", f"Session {this.name} is {record.status}{why}", account_id=this.account_id)


def _ready(state: State, record: r.ReadinessChanged, seq: int) -> EventOut:
    name = state.accounts[record.account_id].account.name
    why = f": {record.reason}" if record.reason else ""
    level = "info" if record.readiness == "READY" else "warning"
    said = record.readiness.lower().replace("_", " ")
    return _event(record, seq, "account", f"{name} is {said}{why}", level=level, account_id=record.account_id)


def _corrected(state: State, record: r.PositionCorrected, seq: int) -> EventOut:
    key = record.key
    symbol, name = state.instruments[key.instrument_id].symbol, state.accounts[key.account_id].account.name
    message = f"{name}: {symbol} corrected by {text(record.quantity)}: {record.reason}"
    return _event(record, seq, "position-corrected", message, level="warning", account_id=key.account_id)


def _feed(state: State, record: r.CursorMoved, seq: int) -> EventOut | None:
    if not record.ended:
        return None
    return _event(record, seq, "feed-ended", f"The feed has ended: it has no prices after {clock.iso(record.cursor)}")


_LINES: dict[type, Callable[[State, Any, int], EventOut | None]] = {
    r.AlertRaised: _alert,
    r.FillBooked: _filled,
    r.OrderDecided: _decided,
    r.OrderMoved: _moved,
    OrderReleased: _released,
    r.SplitApplied: _split,
    r.DayClosed: _day,
    r.DeploymentChanged: _deployed,
    r.AccountOpened: _opened,
    AccountSwitched: _switched,
    AccountRenamed: _renamed,
    SessionMoved: _session,
    r.ReadinessChanged: _ready,
    r.PositionCorrected: _corrected,
    r.CursorMoved: _feed,
}


def is_of_interest(record: AnyRecord) -> bool:
    """Whether there is an event of a record, as far as its kind and its state say."""
    match record:
        case r.OrderDecided():
            return not record.approved
        case r.OrderMoved():
            return record.state in _ENDED
    return type(record) in _LINES


class EventLog:
    """The newest events of the shard, oldest first; `first` numbers the oldest one kept.

    What is noted is put in words when somebody reads: `state_of` then gives the names.
    """

    MOST = 6_000
    DROPPED = 1_000

    def __init__(self, state_of: Callable[[], State] = State) -> None:
        self._state_of = state_of
        self._events: list[EventOut] = []
        self._noted: list[tuple[int, AnyRecord]] = []
        self.first = 0

    @property
    def events(self) -> list[EventOut]:
        if self._noted:
            state, noted, self._noted = self._state_of(), self._noted, []
            self._events += [event for seq, record in noted if (event := line(state, record, seq)) is not None]
        return self._events

    def note(self, record: AnyRecord, seq: int) -> None:
        """Keeps a record of interest, to be put in words once that is asked for."""
        if is_of_interest(record):
            self._noted.append((seq, record))
            self._drop_oldest()

    def add(self, event: EventOut) -> None:
        self.events.append(event)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        if len(self._events) + len(self._noted) > self.MOST:
            told = min(self.DROPPED, len(self._events))
            del self._events[:told], self._noted[: self.DROPPED - told]
            self.first += self.DROPPED
