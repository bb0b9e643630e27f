"""A scripted venue: the book of the simulated one, behind a line on which everything can go wrong.

The venue is the world's and outlives every process of ours; a `Door` is one process's adapter to it. Whatever the book
does is true; what is said of it may be lost, late, doubled, out of order, or a lie.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from evenkeel.domain import events as e
from evenkeel.domain.accounts import SendRate
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import (
    BrokerError,
    BrokerRejected,
    BrokerUnavailable,
    OutcomeUnknown,
    RateLimited,
)
from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.money import mul, neg, sub
from evenkeel.domain.orders import OrderSpec
from evenkeel.domain.risk import Approved
from evenkeel.trading.brokers.ports import Amendment, Cancellation, Ticket
from evenkeel.trading.brokers.profiles import PLAIN_KINDS, PLAIN_TIMES, BrokerProfile, LookupKind
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.simulated.orders import VenueOrder
from tests.simulator.faults import Fault
from tests.simulator.words import event_in_words, spec_in_words

if TYPE_CHECKING:
    from tests.simulator.door import Door
    from tests.simulator.world import World

NAME = "venue"
PLACE_TIMEOUT, QUERY_TIMEOUT, SETTLE = 0.5, 1.0, 0.8
UNTAKEN = frozenset({Fault.LOST_REQUEST, Fault.UNAVAILABLE, Fault.RATE_LIMITED, Fault.REJECTED})
FATES = (
    Fault.LOST_REQUEST,
    Fault.LOST_REPLY,
    Fault.LATE_REPLY,
    Fault.LATE_REQUEST,
    Fault.UNKNOWN_OUTCOME,
    Fault.UNAVAILABLE,
    Fault.RATE_LIMITED,
    Fault.REJECTED,
    Fault.CLUMSY_ADAPTER,
)
_ERRORS: dict[Fault, Callable[[], Exception]] = {
    Fault.UNKNOWN_OUTCOME: lambda: OutcomeUnknown("the line broke after the request was sent"),
    Fault.UNAVAILABLE: lambda: BrokerUnavailable("the venue takes nothing now"),
    Fault.RATE_LIMITED: lambda: RateLimited("too many requests", retry_after=0.5),
    Fault.REJECTED: lambda: BrokerRejected("the venue does not like it"),
    Fault.CLUMSY_ADAPTER: lambda: RuntimeError("a fault in the adapter"),
}


def profile_of(draw: Any) -> BrokerProfile:
    """How a seed's broker behaves when an answer is lost, and how fast it may be sent to."""
    return BrokerProfile(
        name=NAME,
        title="The scripted venue",
        is_simulated=True,
        order_kinds=PLAIN_KINDS,
        times_in_force=PLAIN_TIMES,
        dedupes_client_id=draw.random() < 0.5,
        lookup=draw.choice((LookupKind.EXACT, LookupKind.EXACT, LookupKind.EXACT, LookupKind.TAG, LookupKind.NONE)),
        settle_time=round(SETTLE * SECOND),
        rate=SendRate(per_second=10.0, burst=6, reserved=2) if draw.random() < 0.3 else None,
        place_timeout=round(PLACE_TIMEOUT * SECOND),
        query_timeout=round(QUERY_TIMEOUT * SECOND),
    )


class Venue:
    """`link` counts the connections there have been; `busy` how many requests and events are on their way."""

    def __init__(self, world: "World", profile: BrokerProfile) -> None:
        self.world = world
        self.profile = profile
        self.book = Book()
        self.door: Door | None = None
        self.link = 0
        self.down_until = 0
        self.busy = 0
        self.split_at: dict[str, int] = {}
        self._draw = world.random("venue")
        self._told_until = 0
        self._serial = 0

    @property
    def latency(self) -> float:
        return 0.001 + 0.01 * self._draw.random()

    def request(self, door: "Door", what: str, do: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        """Takes a request on its way; what becomes of it is drawn."""
        world, fate = self.world, self.world.weather.first_of(*FATES)
        arrives, answers = self.latency, self.latency
        if fate is not None:
            world.story.tell("  … {}: {}", what, fate)
            draw = world.weather.draw(fate)
            if fate is Fault.LATE_REQUEST:
                arrives = PLACE_TIMEOUT + (SETTLE - PLACE_TIMEOUT) * draw.random()
            if fate in (Fault.LATE_REPLY, Fault.LATE_REQUEST):
                answers = PLACE_TIMEOUT * (0.5 + draw.random())
        is_taken = fate not in UNTAKEN and (fate not in _ERRORS or world.weather.draw(fate).random() < 0.7)
        error = _ERRORS[fate]() if fate in _ERRORS else None
        is_answered = fate not in (Fault.LOST_REQUEST, Fault.LOST_REPLY)
        if is_taken:
            self._later(arrives, lambda: self._arrive(door, what, do, future if is_answered else None, error, answers))
        elif is_answered:
            self._answer(door, future, None, error, arrives + answers)

    def query(self, door: "Door", what: str, find: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        weather = self.world.weather
        fate = weather.first_of(Fault.SILENT_QUERY, Fault.FAILED_QUERY, Fault.EMPTY_ANSWER)
        if fate is not None:
            self.world.story.tell("  … the question for {}: {}", what, fate)
        if fate is Fault.SILENT_QUERY:
            return
        if fate is Fault.FAILED_QUERY:
            self._answer(door, future, None, BrokerUnavailable("the question failed"), self.latency)
            return
        is_empty = fate is Fault.EMPTY_ANSWER and what != "one order"

        def read() -> None:
            try:
                found, error = (() if is_empty else find()), None
            except BrokerError as caught:
                found, error = None, caught
            self._answer(door, future, found, error, self.latency)

        self._later(self.latency, read)

    def _arrive(
        self,
        door: "Door",
        what: str,
        do: Callable[[], list[e.AnyVenueEvent]],
        future: "asyncio.Future[Any] | None",
        error: Exception | None,
        answers: float,
    ) -> None:
        try:
            self.tell(do())
            self.world.story.tell("  the venue has taken: {}", what)
        except BrokerRejected as refusal:
            self.world.story.tell("  the venue refuses: {} ({})", what, refusal.message)
            error = error or refusal
        if what.startswith("order") and self.world.weather.strikes(Fault.KILLED_TAKEN):
            door.life.kill(f"with {what} taken and not answered")
        elif future is not None:
            self._answer(door, future, None, error, answers)

    def _answer(
        self, door: "Door", future: "asyncio.Future[Any]", result: Any, error: Exception | None, after: float
    ) -> None:
        def reply() -> None:
            if door.life.is_dead or future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._later(after, reply)

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        self.busy += 1

        def done() -> None:
            self.busy -= 1
            do()

        self.world.timeline.after(seconds, done)

    def tell(self, events: list[e.AnyVenueEvent]) -> None:
        """Says what has happened to whoever is connected when it arrives."""
        weather, timeline = self.world.weather, self.world.timeline
        for event in events:
            fate = weather.first_of(Fault.LOST_EVENT, Fault.LATE_EVENT, Fault.SHUFFLED_EVENT, Fault.DUPLICATE_EVENT)
            if fate is Fault.LOST_EVENT and not isinstance(event, e.VenueBusted):
                self.world.story.tell("  … lost on the way: {}", event_in_words(self.world, event))
                continue
            delay = self.latency
            if fate in (Fault.LATE_EVENT, Fault.SHUFFLED_EVENT) and not isinstance(event, e.VenueBusted):
                most = 1.5 if fate is Fault.LATE_EVENT else 0.1
                self._deliver(event, delay + most * weather.draw(fate).random())
                continue
            self._told_until = max(self._told_until, timeline.now + round(delay * SECOND))
            self._deliver(event, (self._told_until - timeline.now) / SECOND)
            if fate is Fault.DUPLICATE_EVENT:
                self._deliver(event, delay + 0.3 * weather.draw(fate).random())

    def _deliver(self, event: e.AnyVenueEvent, after: float) -> None:
        link = self.link

        def arrive() -> None:
            door = self.door
            if door is None or self.link != link or door.life.is_dead:
                self.world.story.tell("  … nobody hears: {}", event_in_words(self.world, event))
                return
            self.world.story.tell("  the venue says: {}", event_in_words(self.world, event))
            door.hear(event)

        self._later(after, arrive)

    def place(self, ticket: Ticket) -> list[e.AnyVenueEvent]:
        spec = ticket.spec
        if ticket.at < self.split_at.get(spec.instrument_id, 0):
            raise BrokerRejected("the instrument has split since")
        return self.book.place(ticket)

    def modify(self, amendment: Amendment) -> list[e.AnyVenueEvent]:
        if amendment.at < self.split_at.get(amendment.spec.instrument_id, 0):
            raise BrokerRejected("the instrument has split since")
        order = self.book.state.orders.get((amendment.account_id, amendment.venue_client_id))
        if order is not None and order.is_working and self.world.weather.strikes(Fault.SECOND_ID):
            self._serial += 1
            self.world.story.tell("  … the venue gives {} a second id", order.venue_order_id)
            order.venue_order_id = f"W{self._serial}"
        return self.book.modify(amendment)

    def cancel(self, cancellation: Cancellation) -> list[e.AnyVenueEvent]:
        weather = self.world.weather
        order = self.book.state.orders.get((cancellation.account_id, cancellation.venue_client_id))
        if order is None or not order.is_working:
            return self.book.cancel(cancellation)
        fate = weather.first_of(Fault.CANCEL_REFUSED, Fault.FILL_AFTER_CANCEL)
        if fate is Fault.CANCEL_REFUSED:
            if weather.draw(fate).random() < 0.5:
                raise BrokerRejected("too late to cancel")
            return [e.VenueCancelRefused(**_names(order), at=self.world.timeline.now, reason="too late to cancel")]
        if fate is Fault.FILL_AFTER_CANCEL:
            self._later(1.5 * weather.draw(fate).random(), lambda: self._end(cancellation))
            return [e.VenueCancelled(**_names(order), at=self.world.timeline.now)]
        return self.book.cancel(cancellation)

    def _end(self, cancellation: Cancellation) -> None:
        order = self.book.state.orders[cancellation.account_id, cancellation.venue_client_id]
        if order.is_working:
            self.book.cancel(cancellation)

    def observe(self, market: MarketSlice) -> None:
        """The market moves, whoever is connected."""
        self.tell(self.book.observe(market))
        self.tell(self.book.finish(market))

    def trade_by_hand(self, spec: OrderSpec) -> None:
        """Somebody trades in the account at the venue's own screen."""
        self._serial += 1
        ticket = Ticket(
            order_id=f"hand-{self._serial}",
            venue_client_id=f"HAND{self._serial:016}",
            spec=spec,
            approval=Approved(()),
            at=self.world.timeline.now,
        )
        self.world.story.tell("somebody places by hand: {}", spec_in_words(self.world, spec))
        self.tell(self.book.place(ticket))

    def cancel_by_hand(self, order: VenueOrder) -> None:
        self.world.story.tell("somebody cancels {} by hand", order.venue_order_id)
        self.tell(
            self.book.cancel(
                Cancellation(
                    account_id=order.spec.account_id,
                    venue_client_id=order.venue_client_id,
                    venue_order_id=order.venue_order_id,
                    at=self.world.timeline.now,
                )
            )
        )

    def bust(self, fill: e.VenueFilled) -> None:
        """Takes an execution back, with what it cost."""
        state = self.book.state
        state.executions[fill.account_id].remove(fill)
        if not state.executions[fill.account_id]:
            self.world.blurred.add(fill.account_id)
        order = state.orders[fill.account_id, fill.venue_client_id or ""]
        order.filled = sub(order.filled, fill.quantity)
        order.notional = sub(order.notional, mul(fill.quantity, fill.price))
        undo = msgspec.structs.replace(
            fill,
            side=fill.side.other,
            charges=tuple(Charge(one.component, neg(one.amount), one.kind) for one in fill.charges),
        )
        state.ledger.note(order.spec, undo, state.instruments[fill.instrument_id])
        self.world.busted.add(fill.execution_id)
        name, at = fill.execution_id, self.world.timeline.now
        self.tell([e.VenueBusted(**_names(order), at=at, execution_id=name, reason="an error")])

    def cut(self, seconds: float) -> None:
        """The link breaks; nobody gets in again before `seconds` have passed."""
        self.link += 1
        self.down_until = self.world.timeline.now + round(seconds * SECOND)
        door, self.door = self.door, None
        if self.world.weather.strikes(Fault.IDS_ROLL_BACK):
            latest = list(self.book.state.orders.values())[-4:]
            self.book.reused_ids = [order.venue_order_id for order in latest]
        if door is not None and not door.life.is_dead:
            self.world.story.tell("the link to the venue is lost for {:.2f} s", seconds)
            door.lose()


def _names(order: VenueOrder) -> dict[str, Any]:
    return {
        "account_id": order.spec.account_id,
        "venue_client_id": order.venue_client_id,
        "venue_order_id": order.venue_order_id,
    }
