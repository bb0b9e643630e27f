"""What "behaves like a broker" means: the suite every adapter passes, whatever is behind it.

Derive a class from `BrokerContract`, name it `Test…`, and give it a fixture `venue`, a `VenueUnderTest`:
the adapter and a hand on the market it trades against. The account `alpha` exists with 100 000 USD and no
charges, the instrument ACME is known. Bars are daily, so that a market order fills at the next bar's open.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Protocol

import pytest

from evenkeel.domain import events as e
from evenkeel.domain.errors import BrokerError, BrokerRejected, BrokerUnavailable
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.money import ZERO, add, mul, sub
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.trading.brokers.ports import AnswersAtOnce, Broker, ManyAtOnce
from evenkeel.trading.brokers.profiles import LookupKind
from tests.contracts.samples import (
    ACME,
    ALPHA,
    CASH,
    D,
    amendment,
    bar,
    cancellation,
    closes,
    flat,
    opens,
    shown,
    spec,
    ticket,
)

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
PATIENCE = 5.0


class VenueUnderTest(Protocol):
    """`broker` is connected when the test gets it; a tenth of a bar's volume is what orders may take of it."""

    @property
    def broker(self) -> Broker: ...

    async def show(self, market: MarketSlice) -> None:
        """Moves the market, whether or not the broker is connected."""


class Listener:
    """Takes a connection's events as they come."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[e.AnyVenueEvent] = []
        self.ended = False
        self._broker = broker
        self._changed = asyncio.Condition()

    async def listen(self) -> None:
        async for event in self._broker.events():
            async with self._changed:
                self.heard.append(event)
                self._changed.notify_all()
        async with self._changed:
            self.ended = True
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(condition)

    def of(self, name: str) -> list[e.AnyVenueEvent]:
        return [event for event in self.heard if event.venue_client_id == name]

    def kinds(self, name: str) -> list[str]:
        return [type(event).__name__.removeprefix("Venue") for event in self.of(name)]

    async def hears(self, name: str, *kinds: str) -> None:
        """Returns when the order's events are exactly these, in this order; fails with what they are instead."""
        try:
            await self.until(lambda: len(self.kinds(name)) >= len(kinds))
        except TimeoutError:
            pytest.fail(f"{name}: expected {list(kinds)}, heard {self.kinds(name)}")
        assert self.kinds(name) == list(kinds)


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[Listener]:
    listener = Listener(broker)
    task = asyncio.create_task(listener.listen())
    await asyncio.sleep(0)
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def fills(events: list[e.AnyVenueEvent]) -> list[tuple[Decimal, Decimal]]:
    return [(f.quantity, f.price) for f in events if isinstance(f, e.VenueFilled)]


class BrokerContract:
    """Derive, give it the fixture `venue`, and run."""

    def _needs(self, broker: Broker, order: OrderSpec) -> None:
        if order.kind not in broker.profile.order_kinds or order.time_in_force not in broker.profile.times_in_force:
            pytest.skip(f"{broker.profile.name} has no {order.kind} {order.time_in_force}")

    async def test_it_connects_disconnects_and_connects_again(self, venue: VenueUnderTest) -> None:
        broker = venue.broker
        assert broker.is_connected()
        await broker.connect()
        await broker.disconnect()
        assert not broker.is_connected()
        await broker.disconnect()
        await broker.connect()
        assert broker.is_connected()
        assert await broker.positions("alpha") == ()

    async def test_events_end_with_the_link(self, venue: VenueUnderTest) -> None:
        async with listening(venue.broker) as listener:
            await venue.broker.disconnect()
            await listener.until(lambda: listener.ended)

    async def test_while_disconnected_nothing_answers_with_an_empty_book(self, venue: VenueUnderTest) -> None:
        broker = venue.broker
        await broker.disconnect()
        for asked in (
            broker.balance("alpha"),
            broker.positions("alpha"),
            broker.open_orders("alpha"),
            broker.executions("alpha", 0),
            broker.order_status("alpha", "A"),
            broker.account_summary("alpha"),
            broker.quotes((ACME.id,)),
            broker.history(ACME.id, timeframe="1d", start=0, end=1),
            broker.place(ticket("A", spec())),
            broker.cancel(cancellation("A")),
            broker.modify(amendment("A", spec())),
        ):
            with pytest.raises(BrokerUnavailable):
                await asked

    async def test_several_orders_of_one_request_are_each_answered(self, venue: VenueUnderTest) -> None:
        broker = venue.broker
        if broker.profile.most_at_once == 1:
            pytest.skip(f"{broker.profile.name} takes one order at a time")
        assert isinstance(broker, ManyAtOnce)
        async with listening(broker) as listener:
            others = ticket("A", spec(quantity=50))
            answers = await broker.place_all([ticket("A", spec()), ticket("B", spec()), others, ticket("C", spec())])
            assert [type(answer) for answer in answers] == [type(None), type(None), BrokerRejected, type(None)]
            for name in "ABC":
                await listener.hears(name, "Accepted")
        await broker.disconnect()
        with pytest.raises(BrokerUnavailable):
            await broker.place_all([ticket("D", spec()), ticket("E", spec())])

    async def test_orders_that_are_taken_at_once_are_each_answered(self, venue: VenueUnderTest) -> None:
        broker = venue.broker
        if not isinstance(broker, AnswersAtOnce) or broker.is_far:
            pytest.skip(f"{broker.profile.name} does not answer at once")
        async with listening(broker) as listener:
            others = ticket("A", spec(quantity=50))
            answers = broker.place_now([ticket("A", spec()), others, ticket("B", spec())])
            assert [type(answer) for answer in answers] == [type(None), BrokerRejected, type(None)]
            for name in "AB":
                await listener.hears(name, "Accepted")
        await broker.disconnect()
        with pytest.raises(BrokerUnavailable):
            broker.place_now([ticket("D", spec())])

    async def test_an_order_is_accepted_then_filled(self, venue: VenueUnderTest) -> None:
        async with listening(venue.broker) as listener:
            await venue.broker.place(ticket("A", spec()))
            await listener.hears("A", "Accepted")
            await venue.show(shown(flat(1, 10.0)))
            await listener.hears("A", "Accepted", "Filled")
            accepted, fill = listener.of("A")
        assert isinstance(fill, e.VenueFilled)
        assert (fill.quantity, fill.price, fill.side, fill.instrument_id) == (D(100), D(10), BUY, ACME.id)
        assert fill.venue_order_id == accepted.venue_order_id
        assert fill.at == opens(1)

    @pytest.mark.parametrize(
        ("order", "path", "expected"),
        [
            (spec(), (10, 12, 9, 11), [(100, 10)]),
            (spec(limit="9.50", time_in_force=GTC), (10, 12, 9, 11), [(100, "9.50")]),
            (spec(SELL, limit=12, time_in_force=GTC), (10, 12, 9, 11), [(100, 12)]),
            (spec(stop=12, time_in_force=GTC), (10, 12, 9, 11), [(100, 12)]),
            (spec(SELL, stop="9.50", time_in_force=GTC), (10, 12, 9, 11), [(100, "9.50")]),
            (spec(limit="11.50", stop=11, time_in_force=GTC), (10, 12, 9, 11), [(100, 11)]),
            (spec(limit=8, time_in_force=GTC), (10, 12, 9, 11), []),
        ],
    )
    async def test_every_kind_fills_where_the_market_allows(
        self,
        venue: VenueUnderTest,
        order: OrderSpec,
        path: tuple[float, float, float, float],
        expected: list[tuple[object, object]],
    ) -> None:
        self._needs(venue.broker, order)
        await venue.broker.place(ticket("A", order))
        await venue.show(shown(bar(1, *path)))
        got = [(f.quantity, f.price) for f in await venue.broker.executions("alpha", 0)]
        assert got == [(D(str(quantity)), D(str(price))) for quantity, price in expected]

    async def test_a_stop_is_said_to_be_triggered_before_it_fills(self, venue: VenueUnderTest) -> None:
        order = spec(limit=12, stop=11, time_in_force=GTC)
        self._needs(venue.broker, order)
        async with listening(venue.broker) as listener:
            await venue.broker.place(ticket("A", order))
            await venue.show(shown(bar(1, 10, 12, 10, 12)))
            await listener.hears("A", "Accepted", "Triggered", "Filled")

    async def test_the_same_client_id_never_makes_a_second_order(self, venue: VenueUnderTest) -> None:
        if not venue.broker.profile.dedupes_client_id:
            pytest.skip("this venue does not deduplicate client ids; we must never send again there")
        await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
        await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
        with pytest.raises(BrokerRejected):
            await venue.broker.place(ticket("A", spec(quantity=7, time_in_force=GTC)))
        assert len(await venue.broker.open_orders("alpha")) == 1
        await venue.show(shown(flat(1, 10.0)))
        assert [f.quantity for f in await venue.broker.executions("alpha", 0)] == [D(100)]

    async def test_a_malformed_order_is_rejected_and_leaves_nothing(self, venue: VenueUnderTest) -> None:
        async with listening(venue.broker) as listener:
            placing = venue.broker.place(ticket("A", spec(quantity="0.5")))
            [answer] = await asyncio.gather(placing, return_exceptions=True)
            if not isinstance(answer, BrokerRejected):
                assert answer is None
                await listener.hears("A", "Rejected")
        assert await venue.broker.open_orders("alpha") == ()

    async def test_orders_are_looked_up_exactly(self, venue: VenueUnderTest) -> None:
        if venue.broker.profile.lookup is not LookupKind.EXACT:
            pytest.skip("this venue has no exact lookup")
        assert await venue.broker.order_status("alpha", "NEVER") is None
        await venue.broker.place(ticket("A", spec(limit=9, time_in_force=GTC)))
        found = await venue.broker.order_status("alpha", "A")
        assert found is not None
        assert (found.state, found.filled, found.limit_price) == (OrderState.ACCEPTED, ZERO, D(9))
        await venue.show(shown(flat(1, 8.0)))
        done = await venue.broker.order_status("alpha", "A")
        assert done is not None
        assert (done.state, done.filled, done.venue_order_id) == (OrderState.FILLED, D(100), found.venue_order_id)

    async def test_cancel_and_the_race_with_a_fill(self, venue: VenueUnderTest) -> None:
        async with listening(venue.broker) as listener:
            await venue.broker.place(ticket("A", spec(limit=5, time_in_force=GTC)))
            await venue.broker.cancel(cancellation("A"))
            await listener.hears("A", "Accepted", "Cancelled")
            await venue.broker.place(ticket("B", spec(time_in_force=GTC)))
            await venue.show(shown(flat(1, 10.0)))
            await listener.hears("B", "Accepted", "Filled")
            try:
                await venue.broker.cancel(cancellation("B", day=1))
            except BrokerRejected:
                return
            await listener.hears("B", "Accepted", "Filled", "CancelRefused")

    async def test_what_is_unknown_cannot_be_cancelled(self, venue: VenueUnderTest) -> None:
        with pytest.raises(BrokerRejected):
            await venue.broker.cancel(cancellation("NEVER"))

    async def test_modify_and_the_race_with_a_fill(self, venue: VenueUnderTest) -> None:
        wanted = spec(quantity=60, limit=8, time_in_force=GTC)
        async with listening(venue.broker) as listener:
            await venue.broker.place(ticket("A", spec(limit=5, time_in_force=GTC)))
            await venue.broker.modify(amendment("A", wanted))
            await listener.hears("A", "Accepted", "Amended")
            await venue.show(shown(flat(1, 7.0)))
            await listener.hears("A", "Accepted", "Amended", "Filled")
            assert fills(listener.of("A")) == [(D(60), D(7))]
            with pytest.raises(BrokerRejected):
                await venue.broker.modify(amendment("A", wanted, day=1))

    async def test_a_thin_bar_fills_in_part_and_the_rest_later(self, venue: VenueUnderTest) -> None:
        async with listening(venue.broker) as listener:
            await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
            await venue.show(shown(flat(1, 10.0, volume=400)))
            await listener.hears("A", "Accepted", "Filled")
            [working] = await venue.broker.open_orders("alpha")
            assert (working.filled, working.state) == (D(40), OrderState.PARTIALLY_FILLED)
            await venue.show(shown(flat(2, 11.0)))
            await listener.hears("A", "Accepted", "Filled", "Filled")
            assert fills(listener.of("A")) == [(D(40), D(10)), (D(60), D(11))]
        assert await venue.broker.open_orders("alpha") == ()

    @pytest.mark.parametrize(("time_in_force", "filled"), [(IOC, [40]), (FOK, [])])
    async def test_at_once_or_not_at_all(
        self, venue: VenueUnderTest, time_in_force: TimeInForce, filled: list[int]
    ) -> None:
        order = spec(time_in_force=time_in_force)
        self._needs(venue.broker, order)
        async with listening(venue.broker) as listener:
            await venue.broker.place(ticket("A", order))
            await venue.show(shown(flat(1, 10.0, volume=400)))
            await listener.hears("A", "Accepted", *["Filled" for _ in filled], "Cancelled")
        assert [f.quantity for f in await venue.broker.executions("alpha", 0)] == [D(part) for part in filled]

    async def test_a_day_order_ends_with_the_day(self, venue: VenueUnderTest) -> None:
        async with listening(venue.broker) as listener:
            await venue.broker.place(ticket("A", spec(limit=5)))
            await venue.show(shown(flat(1, 10.0)))
            await venue.show(shown(flat(2, 4.0)))
            await listener.hears("A", "Accepted", "Expired")

    async def test_executions_since_a_moment(self, venue: VenueUnderTest) -> None:
        for day, name in enumerate(("A", "B"), start=1):
            await venue.broker.place(ticket(name, spec(), day=day - 1))
            await venue.show(shown(flat(day, 10.0)))
        everything = await venue.broker.executions("alpha", 0)
        assert [f.venue_client_id for f in everything] == ["A", "B"]
        assert len({f.execution_id for f in everything}) == 2
        since = await venue.broker.executions("alpha", closes(1) + 1)
        assert [f.venue_client_id for f in since] == ["B"]

    async def test_positions_are_the_sum_of_executions_and_cash_their_ledger(self, venue: VenueUnderTest) -> None:
        for day, (side, asked) in enumerate([(BUY, 100), (SELL, 130), (BUY, 75)], start=1):
            await venue.broker.place(ticket(f"O{day}", spec(side, asked), day=day - 1))
            await venue.show(shown(flat(day, 10.0 + day)))
        executed = await venue.broker.executions("alpha", 0)
        quantity, cash = ZERO, CASH
        for fill in executed:
            signed = fill.quantity if fill.side is BUY else -fill.quantity
            quantity = add(quantity, signed)
            cash = sub(cash, mul(signed, fill.price))
            for charge in fill.charges:
                cash = sub(cash, charge.amount)
        summary = await venue.broker.account_summary("alpha")
        assert [p.quantity for p in summary.positions] == [quantity] == [D(45)]
        assert summary.positions == await venue.broker.positions("alpha")
        assert summary.balance == await venue.broker.balance("alpha")
        assert summary.balance.cash == {"USD": cash}

    async def test_events_come_in_order(self, venue: VenueUnderTest) -> None:
        async with listening(venue.broker) as listener:
            for name in ("C", "A", "B"):
                await venue.broker.place(ticket(name, spec(limit=9 if name == "A" else 11, time_in_force=GTC)))
            await venue.show(shown(bar(1, 10, 11, 8, 9)))
            await listener.until(lambda: len(listener.heard) == 6)
        assert [event.venue_client_id for event in listener.heard] == ["C", "A", "B", "B", "C", "A"]
        moments = [event.at for event in listener.heard]
        assert moments[3:] == sorted(moments[3:])

    async def test_fills_while_away_are_found_by_asking(self, venue: VenueUnderTest) -> None:
        broker = venue.broker
        await broker.place(ticket("A", spec(time_in_force=GTC)))
        await broker.disconnect()
        await venue.show(shown(flat(1, 10.0)))
        await broker.connect()
        async with listening(broker) as listener:
            assert [f.venue_client_id for f in await broker.executions("alpha", closes(0))] == ["A"]
            assert await broker.open_orders("alpha") == ()
            assert listener.of("A") == []

    async def test_quotes_and_history_say_what_was_seen_or_fail(self, venue: VenueUnderTest) -> None:
        broker = venue.broker
        with pytest.raises(BrokerUnavailable):
            await broker.quotes((ACME.id,))
        with pytest.raises(BrokerUnavailable):
            await broker.history(ACME.id, timeframe="1d", start=opens(1), end=opens(9))
        bars = [flat(1, 10.0), flat(2, 11.0)]
        for one in bars:
            await venue.show(shown(one))
        [quote] = await broker.quotes((ACME.id,))
        assert quote.last == 11.0
        assert list(await broker.history(ACME.id, timeframe="1d", start=opens(1), end=opens(3))) == bars
        with pytest.raises(BrokerUnavailable):
            await broker.history(ACME.id, timeframe="1d", start=opens(0), end=opens(3))

    async def test_an_unknown_account_is_an_error_not_an_empty_one(self, venue: VenueUnderTest) -> None:
        for asked in (venue.broker.positions("nobody"), venue.broker.executions("nobody", 0)):
            with pytest.raises(BrokerError):
                await asked

    async def test_the_profile_says_what_it_can_do(self, venue: VenueUnderTest) -> None:
        profile = venue.broker.profile
        assert profile.name
        assert profile.title
        assert OrderKind.MARKET in profile.order_kinds
        assert profile.times_in_force
        assert profile.place_timeout > 0
        assert profile.query_timeout > 0
        assert ALPHA.currency
