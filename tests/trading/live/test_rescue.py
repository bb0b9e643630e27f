"""A panic without a desk: it sees through what it can, and says what is left where."""

from datetime import date
from decimal import Decimal

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain.errors import BrokerUnavailable
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.records import PositionCorrected
from evenkeel.trading.brokers.ports import Ticket
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.rescue import Rescued, carry_out
from evenkeel.trading.live.simulated import standing
from tests.trading.live.desk import ACCOUNT, BY, DAY, STOCK, MemoryJournal, buy, make_runner, market, opened

OTHER = msgspec.structs.replace(ACCOUNT, id="other", name="Other")
EVERYTHING = c.Panic(provenance=BY, scope=Scope(ScopeKind.PLATFORM))


class Picky(SimulatedBroker):
    """Takes no orders of the accounts in `refused`."""

    is_far = True

    def __init__(self, book: Book, refused: tuple[str, ...]) -> None:
        super().__init__(book, profile=msgspec.structs.replace(IN_PROCESS, most_at_once=1))
        self.refused = refused

    async def place(self, ticket: Ticket) -> None:
        if ticket.spec.account_id in self.refused:
            raise BrokerUnavailable("busy")
        await super().place(ticket)


async def held() -> MemoryJournal:
    """The journal of a desk that has stopped with ten shares in each of two accounts."""
    journal = MemoryJournal()
    runner = await opened(make_runner(journal))
    await runner.submit(c.OpenAccount(provenance=BY, account=OTHER, initial_cash=Decimal(100_000)))
    await runner.quiet()
    for account in (ACCOUNT, OTHER):
        spec = msgspec.structs.replace(buy(account.id).spec, account_id=account.id)
        await runner.submit(c.SubmitOrder(provenance=BY, spec=spec))
    await runner.quiet()
    await runner.post_all([market(1)])
    await runner.brokers["simulated"].observe(market(1))  # type: ignore[attr-defined]
    await runner.quiet()
    await runner.stop()
    return journal


async def rescued(*refused: str) -> Rescued:
    def brokers(state: State) -> dict[str, Picky]:
        return {"simulated": Picky(Book.restore(standing(state, "simulated")), refused)}

    runner = make_runner(await held(), brokers, deterministic=False)
    return await carry_out(runner, EVERYTHING, run="rescue", version="0", wait=0.8)


async def test_what_waits_at_the_broker_rests() -> None:
    """No market moves meanwhile: the orders that close are there, and wait for a price."""
    found = await rescued()
    assert (found.name, found.done, found.rests) == ("the platform", False, True)
    assert found.left[0] == "Main: position STK 10, the order that closes it is ACCEPTED"
    assert len(found.left) == 4


async def test_a_split_that_was_missed_is_applied_before_anything_is_closed() -> None:
    """F26: the broker has it in its books by then; what closes is the position of now."""
    journal = await held()
    runner = make_runner(journal, deterministic=False)
    split = Split(STOCK.id, date(2024, 3, 7), Decimal(2), Decimal(1))
    runner.clock.at += DAY
    missed = (MarketSlice(runner.clock.at, splits=(split,)),)
    found = await carry_out(runner, EVERYTHING, run="rescue", version="0", wait=0.8, missed=missed)
    assert found.left[0] == "Main: position STK 20, the order that closes it is ACCEPTED"
    closing = [order for order in runner.state.orders.values() if order.source == "panic"]
    assert [order.quantity for order in closing] == [Decimal(20), Decimal(20)]
    assert not [one for one in journal.records() if isinstance(one, PositionCorrected)]


async def test_an_order_at_the_broker_closes_nothing_in_another_account() -> None:
    found = await rescued(OTHER.id)
    assert (found.done, found.rests) == (False, False)
    assert any(line.startswith("Other: position STK 10") for line in found.left)
