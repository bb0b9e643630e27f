"""F24, I9: nothing of a simulated account ever reaches a real broker, whichever layer is wrong about it.

`Real` stands for one: it is in the process, connected, and writes down whatever it is asked to do.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, AccountMode, Limits
from evenkeel.domain.errors import Forbidden, JournalCorrupt
from evenkeel.domain.events import AnyVenueEvent, BrokerBalance, BrokerOrder, BrokerPosition, VenueFilled
from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.records import AccountOpened, AnyRecord, chain_hash, decode, encode
from evenkeel.domain.risk import Approved
from evenkeel.domain.strategies import Allocation, Deployment, Signal
from evenkeel.domain.walkforward import SessionStatus, WalkForwardSession
from evenkeel.trading.brokers.handles import Handles, RealHandle, SimulatedHandle, bind
from evenkeel.trading.brokers.ports import AccountSummary, Amendment, Broker, Cancellation, Ticket
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from evenkeel.trading.brokers.streams import EventStream
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.recovery import recover
from evenkeel.trading.live.runner import Runner
from tests.trading.live.desk import BY, START, STOCK, MemoryJournal, in_process, make_runner, market

OPEN = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None)
PAPER = Account("paper", "user", "Paper", "simulated", "USD", limits=OPEN)
SESSION = Account("walk", "user", "Walk", "simulated", "USD", mode=AccountMode.WALKFORWARD, limits=OPEN)
FLIPS: dict[str, dict[str, Any]] = {
    "mode": {"mode": AccountMode.LIVE},
    "broker": {"broker": "real"},
    "both": {"mode": AccountMode.LIVE, "broker": "real"},
}


class Real:
    """A broker whose orders are no simulation. `calls` is what it was asked to send."""

    def __init__(self, profile: BrokerProfile | None = None) -> None:
        self._profile = profile or replace(IN_PROCESS, name="real", title="Real", is_simulated=False)
        self._stream: EventStream | None = None
        self.calls: list[str] = []

    @property
    def profile(self) -> BrokerProfile:
        return self._profile

    async def connect(self) -> None:
        self._stream = self._stream or EventStream()

    async def disconnect(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def is_connected(self) -> bool:
        return self._stream is not None

    async def balance(self, account_id: str) -> BrokerBalance:
        return BrokerBalance(account_id=account_id, cash={})

    async def positions(self, account_id: str) -> tuple[BrokerPosition, ...]:
        return ()

    async def open_orders(self, account_id: str) -> tuple[BrokerOrder, ...]:
        return ()

    async def executions(self, account_id: str, since: int) -> tuple[VenueFilled, ...]:
        return ()

    async def order_status(self, account_id: str, venue_client_id: str) -> BrokerOrder | None:
        return None

    async def account_summary(self, account_id: str) -> AccountSummary:
        return AccountSummary(balance=await self.balance(account_id), positions=(), open_orders=())

    async def quotes(self, instrument_ids: tuple[str, ...]) -> tuple[Quote, ...]:
        return ()

    async def history(self, instrument_id: str, *, timeframe: str, start: int, end: int) -> tuple[Bar, ...]:
        return ()

    async def place(self, ticket: Ticket) -> None:
        self.calls.append(f"place {ticket.order_id}")

    async def modify(self, amendment: Amendment) -> None:
        self.calls.append("modify")

    async def cancel(self, cancellation: Cancellation) -> None:
        self.calls.append("cancel")

    def events(self) -> AsyncIterator[AnyVenueEvent]:
        assert self._stream is not None
        return self._stream.__aiter__()


def both(real: Real) -> Callable[[State], Mapping[str, Broker]]:
    return lambda state: {**in_process(state), "real": real}


def spec_of(account: Account, quantity: int = 10, side: Side = Side.BUY, name: str = "one") -> OrderSpec:
    return OrderSpec(account.id, "manual", STOCK.id, side, Decimal(quantity), OrderKind.MARKET, name)


def order_of(account: Account, **more: Any) -> c.SubmitOrder:
    return c.SubmitOrder(provenance=BY, spec=spec_of(account, **more))


def opening(account: Account = SESSION) -> c.OpenSession:
    session = WalkForwardSession("one", "Walk", "user", account.id, capital=Decimal(100_000))
    deployment = Deployment("trend", "Trend", "sma", "1", {}, (STOCK.id,), (Allocation(account.id, Decimal("0.5")),))
    return c.OpenSession(provenance=BY, session=session, account=account, deployments=(deployment,))


async def opened(real: Real, journal: MemoryJournal | None = None) -> Runner:
    """A desk with a real broker beside the simulated one, a paper account, and a session that runs."""
    runner = make_runner(journal or MemoryJournal(), both(real))
    await runner.start(run="test", version="0")
    await runner.submit(c.ListInstrument(provenance=BY, instrument=STOCK))
    await runner.submit(c.OpenAccount(provenance=BY, account=PAPER, initial_cash=Decimal(100_000)))
    await runner.submit(opening())
    await runner.submit(c.StartSession(provenance=BY, session_id="one"))
    await runner.post_all([market(0)])
    await runner.quiet()
    return runner


async def show(runner: Runner, day: int, price: float = 10.0) -> None:
    slice_ = market(day, price)
    runner.clock.at = slice_.at
    await runner.post_all([slice_])
    venue = runner.brokers["simulated"]
    assert isinstance(venue, SimulatedBroker)
    await venue.observe(slice_)
    await runner.quiet()


async def signal(runner: Runner, target: float) -> None:
    given = Signal("trend", STOCK.id, runner.clock.now(), target)
    await runner.submit(c.TakeSignal(provenance=BY, signal=given))
    await runner.quiet()


async def test_a_whole_session_beside_a_real_broker_asks_it_nothing() -> None:
    real = Real()
    runner = await opened(real)
    await signal(runner, 1.0)
    await runner.submit(order_of(PAPER))
    await show(runner, 1)
    resting = replace(spec_of(SESSION, name="low"), kind=OrderKind.LIMIT, limit_price=Decimal(5))
    outcome = await runner.submit(c.SubmitOrder(provenance=BY, spec=resting))
    await runner.quiet()
    await runner.submit(c.ModifyOrder(provenance=BY, order_id=outcome.id, quantity=Decimal(20)))
    await runner.quiet()
    await runner.submit(c.StopSession(provenance=BY, session_id="one"))
    await signal(runner, 0.0)
    await runner.quiet()
    await runner.submit(c.CompleteSession(provenance=BY, session_id="one"))
    await runner.quiet()
    await show(runner, 2, 11.0)
    await show(runner, 3, 11.0)
    held = runner.state.walkforwards["one"]
    assert held.status is SessionStatus.COMPLETED
    assert held.fills == 2
    assert runner.state.orders[outcome.id].state is OrderState.CANCELLED
    assert real.calls == []
    await runner.stop()


# The command, the record, the folded state, the last gate: each made wrong, one after another.


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("account", [PAPER, SESSION], ids=["paper", "session"])
async def test_a_command_that_is_wrong_about_its_account_is_declined(account: Account, flip: str) -> None:
    real = Real()
    runner = make_runner(MemoryJournal(), both(real))
    await runner.start(run="test", version="0")
    wrong = replace(account, **FLIPS[flip])
    command: Any = c.OpenAccount(provenance=BY, account=wrong, initial_cash=Decimal(1))
    with pytest.raises(Forbidden):
        await runner.submit(opening(wrong) if account is SESSION else command)
    assert runner.state.accounts == {}
    await runner.stop()


def rewritten(journal: MemoryJournal, account_id: str, changes: dict[str, Any]) -> MemoryJournal:
    """The journal with an account recorded otherwise, its hashes made anew by somebody who knows how."""
    forged = MemoryJournal()
    for batch in journal.batches:
        records = tuple(_changed(record, account_id, changes) for record in decode(batch.body))
        forged.append(encode(records), batch.first_seq, batch.last_seq)
    return forged


def _changed(record: AnyRecord, account_id: str, changes: dict[str, Any]) -> AnyRecord:
    if isinstance(record, AccountOpened) and record.account.id == account_id:
        return replace(record, account=replace(record.account, **changes))
    return record


@pytest.mark.parametrize("flip", FLIPS)
async def test_a_record_that_is_wrong_about_the_account_of_a_session_is_not_folded_or_not_sent(flip: str) -> None:
    journal, real = MemoryJournal(), Real()
    runner = await opened(real, journal)
    await signal(runner, 1.0)
    await runner.stop()
    forged = rewritten(journal, SESSION.id, FLIPS[flip])
    if "mode" in FLIPS[flip]:
        with pytest.raises(JournalCorrupt, match="a live account"):
            recover(forged)
        return
    again = make_runner(forged, both(real))
    await again.start(run="again", version="0")
    outcome = await again.submit(order_of(SESSION, name="later"))
    await show(again, 1)
    assert not again.state.orders[outcome.id].state.is_working
    assert real.calls == []
    await again.stop()


@pytest.mark.parametrize("flip", FLIPS)
async def test_a_record_that_is_wrong_about_a_paper_account_sends_nothing(flip: str) -> None:
    journal, real = MemoryJournal(), Real()
    runner = await opened(real, journal)
    await runner.stop()
    again = make_runner(rewritten(journal, PAPER.id, FLIPS[flip]), both(real))
    await again.start(run="again", version="0")
    await again.post_all([market(1)])
    await again.submit(order_of(PAPER, name="later"))
    await again.quiet()
    assert real.calls == []
    await again.stop()


async def test_a_changed_record_breaks_the_chain_of_the_journal() -> None:
    journal = MemoryJournal()
    runner = await opened(Real(), journal)
    await runner.stop()
    forged = rewritten(journal, PAPER.id, FLIPS["both"])
    pairs = zip(journal.batches, forged.batches, strict=True)
    at = next(place for place, (true, false) in enumerate(pairs) if true.body != false.body)
    assert journal.batches[at + 1].prev_hash == chain_hash(journal.batches[at]) != chain_hash(forged.batches[at])


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("account", [PAPER, SESSION], ids=["paper", "session"])
async def test_a_state_that_is_wrong_about_an_account_in_use_sends_nothing(account: Account, flip: str) -> None:
    real = Real()
    runner = await opened(real)
    held = runner.state.accounts[account.id]
    held.account = replace(held.account, **FLIPS[flip])
    outcome = await runner.submit(order_of(account))
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.EXPIRED_UNSENT
    assert "nothing of it is sent" in str(runner.state.orders[outcome.id].reason)
    assert real.calls == []
    await runner.stop()


@pytest.mark.parametrize("flip", FLIPS)
async def test_a_state_that_is_wrong_about_a_session_before_its_first_order_sends_nothing(flip: str) -> None:
    real = Real()
    runner = await opened(real)
    runner.dispatcher._handles = Handles()  # as if nothing had been sent yet
    held = runner.state.accounts[SESSION.id]
    held.account = replace(held.account, **FLIPS[flip])
    outcome = await runner.submit(order_of(SESSION))
    await runner.quiet()
    assert runner.state.orders[outcome.id].state is OrderState.EXPIRED_UNSENT
    assert real.calls == []
    await runner.stop()


async def test_a_table_of_brokers_that_is_wrong_sends_nothing() -> None:
    """In the place of the simulated broker there is suddenly a real one."""
    real = Real()
    runner = await opened(real)
    for handles in (runner.dispatcher._handles, Handles()):
        runner.dispatcher._handles = handles
        runner.dispatcher.brokers = {"simulated": real}
        outcome = await runner.submit(order_of(SESSION, name=f"n{id(handles)}"))
        await runner.quiet()
        assert runner.state.orders[outcome.id].state is OrderState.EXPIRED_UNSENT
    assert real.calls == []
    await runner.stop()


async def test_a_real_broker_that_says_it_simulates_gets_no_order() -> None:
    """Its profile is wrong; what a venue offers it does not offer."""
    liar = Real(IN_PROCESS)
    runner = await opened(liar)
    runner.dispatcher._handles = Handles()
    runner.dispatcher.brokers = {"simulated": liar}
    await runner.submit(order_of(SESSION))
    await runner.quiet()
    assert liar.calls == []
    await runner.stop()


# The types: what a handle is made of.


def test_a_simulated_handle_is_made_of_a_venue_and_of_nothing_else() -> None:
    real, venue = Real(), SimulatedBroker(Book())
    assert isinstance(bind(PAPER, venue), SimulatedHandle)
    assert isinstance(bind(SESSION, venue, is_session=True), SimulatedHandle)
    with pytest.raises(Forbidden):
        # Strict mypy reports an ignore that nothing needs: that this one is needed is the proof by types.
        SimulatedHandle(PAPER, real)  # type: ignore[arg-type]
    live = replace(PAPER, mode=AccountMode.LIVE, broker="real")
    assert isinstance(bind(live, real), RealHandle)
    wrongs: tuple[Callable[[], object], ...] = (
        lambda: bind(PAPER, real),
        lambda: bind(SESSION, real, is_session=True),
        lambda: bind(live, real, is_session=True),
        lambda: bind(live, venue),
        lambda: RealHandle(live, venue),
        lambda: RealHandle(PAPER, real),
        lambda: SimulatedHandle(live, venue),
    )
    for wrong in wrongs:
        with pytest.raises(Forbidden):
            wrong()


def test_live_trading_is_off_until_an_account_is_switched_on() -> None:
    real, live = Real(), replace(PAPER, mode=AccountMode.LIVE, broker="real")
    with pytest.raises(Forbidden, match="live trading of Paper is off"):
        Handles().of(live, real, is_session=False)
    assert isinstance(Handles({PAPER.id}).of(live, real, is_session=False), RealHandle)


async def test_a_handle_sends_for_its_own_account_only() -> None:
    venue = SimulatedBroker(Book())
    handle = bind(PAPER, venue)
    ticket = Ticket(order_id="o", venue_client_id="V", spec=spec_of(SESSION), approval=Approved(()), at=START)
    cancellation = Cancellation(account_id=SESSION.id, venue_client_id="V", venue_order_id=None, at=START)
    amendment = Amendment(
        account_id=SESSION.id, venue_client_id="V", venue_order_id=None, spec=spec_of(SESSION), approval=Approved(()),
        at=START,
    )  # fmt: skip
    for call in (handle.place(ticket), handle.cancel(cancellation), handle.modify(amendment)):
        with pytest.raises(Forbidden, match="by the door of paper"):
            await call
