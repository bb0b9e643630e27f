"""One seed's world: a market, a venue, a trader, the weather, and process after process of ours until all is at rest.

Everything is drawn from the seed, nothing sleeps and nothing runs beside it, so that a seed tells the same story each
time. `run` raises `Failed`, which tells the end of it in words.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

from msgspec import Struct

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, AccountMode, AccountType, Limits, Readiness, SendRate
from evenkeel.domain.clock import SECOND, to_ns
from evenkeel.domain.commands import AnyCommand
from evenkeel.domain.copying import CopyLink
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import Batch, decode
from evenkeel.domain.strategies import Allocation, Deployment, Protection
from evenkeel.trading.brokers.ports import Ticket
from evenkeel.trading.engine.effects import Outcome
from tests.simulator import invariants
from tests.simulator.copies import Copies
from tests.simulator.copywatch import CopyWatch
from tests.simulator.disk import Disk
from tests.simulator.faults import Fault, Weather
from tests.simulator.life import Answer, Life, SeededIds
from tests.simulator.market import ACME, BOLT, CORK, INSTRUMENTS, Market
from tests.simulator.observer import Broken, Observer
from tests.simulator.story import Story
from tests.simulator.timeline import Timeline
from tests.simulator.trader import BOOK, WHO, Trader
from tests.simulator.venue import NAME, Venue, profile_of

TICK = 0.4
MOST_REST = 180.0
COPYING = 0.35
MOST_RECORDS = 50_000
STARTS = (
    datetime(2024, 3, 4, 16, 0, tzinfo=UTC),
    datetime(2024, 3, 4, 21, 59, 57, tzinfo=UTC),  # the account's day ends at 17:00 in New York
    datetime(2024, 3, 8, 21, 59, 57, tzinfo=UTC),
)


class Failed(AssertionError):
    """A seed that breaks something, with the last of its story."""


class Outcomes(Struct):
    """What one seed came to: how much happened, and the hash that ends its journal."""

    seed: int
    records: int
    orders: int
    fills: int
    copies: int
    lives: int
    seconds: float
    faults: dict[str, int]
    digest: str


class World:
    """`without` leaves faults out, `only` says which there are, each with its chance; `copies` says whether accounts
    copy others, or by which links, which is drawn where nobody says it; `aloud` tells the story.

    `busted` are executions that the venue has taken back; `blurred` the accounts all of whose executions it had, once:
    who shows none at all says nothing of one, so that such a bust is known only if it was heard. `forgotten` are orders
    (by our ids for the venue) that a journal knew which is there no more.
    """

    def __init__(
        self,
        seed: int,
        *,
        without: Iterable[Fault] = (),
        only: Mapping[Fault, float] | None = None,
        copies: bool | tuple[CopyLink, ...] | None = None,
        aloud: bool = False,
    ) -> None:
        self.seed = seed
        draw = self.random("world")
        self.timeline = Timeline(to_ns(draw.choice(STARTS)))
        self.story = Story(self.timeline, aloud=aloud)
        self.weather = Weather(seed, without, only=only)
        self.symbols = {one.id: one.symbol for one in INSTRUMENTS}
        self.disk = Disk()
        self.ids = SeededIds(self)
        self.market = Market(self.random("market"), self.timeline.now)
        self.venue = Venue(self, profile_of(self.random("profile")))
        self.observer = Observer(self)
        self.trader = Trader(self)
        self.opening = opening(draw)
        self.copies: Copies | None = None
        self._always = copies is True
        self.copy_watch = CopyWatch(self)
        if (self.random("copies?").random() < COPYING) if copies is None else copies:
            self.copies = Copies(self, copies if isinstance(copies, tuple) else ())
            self.opening += self.copies.opening()
            self.symbols[CORK.id] = CORK.symbol
            self.market.has_cork = True
        self.busted: set[str] = set()
        self.forgotten: set[str] = set()
        self.blurred: set[str] = set()
        self.skew = 0
        self.life: Life | None = None
        self.lives = 0
        self._draw = draw
        self._broken: BaseException | None = None
        self._silent_until = 0
        self._rest_since = 0
        self._is_over = False
        self._settled = False
        self.duration = draw.uniform(1.5, 6.0)

    def random(self, purpose: str) -> Random:
        """A generator for each purpose, so that one's draws do not move another's."""
        return Random(f"{self.seed}:{purpose}")

    def run(self) -> Outcomes:
        """Raises Failed."""
        try:
            self._run()
        except Exception as error:
            raise Failed(self._tale(error)) from error
        return Outcomes(
            seed=self.seed,
            records=self.disk.last_seq,
            orders=len(self.observer.orders),
            fills=len(self.observer.executions),
            copies=self.copy_watch.events,
            lives=self.lives,
            seconds=self.timeline.seconds,
            faults={str(fault): count for fault, count in sorted(self.weather.struck.items())},
            digest=self.disk.hash.hex(),
        )

    def _tale(self, error: BaseException) -> str:
        lines = "\n".join(self.story.lines())
        again = f"python -m tests.simulator --seed {self.seed}{' --copies' if self._always else ''}"
        return f"seed {self.seed}: {error}\n{lines}\nseed {self.seed}: {error}\nAgain: {again}"

    def _run(self) -> None:
        for command in self.opening:
            if isinstance(command, c.ListInstrument):
                self.venue.book.list_instrument(command.instrument)
            elif isinstance(command, c.OpenAccount):
                self.venue.book.open_account(command.account)
        self.timeline.after(0.05, self._tick)
        self.timeline.after(0.3, self.act)
        if self.copies is not None:
            self.timeline.after(0.5, self.copies.act)
        self.timeline.after(self.duration, self.clear)
        while not self._is_over:
            self._live()
            if self._broken is not None:
                raise self._broken

    def _live(self) -> None:
        """One process, from its start to its death or the end of the world; and the time without one."""
        life = self.life = Life(self, self.lives)
        self.lives += 1
        self.born(life)
        self.story.tell("the desk starts")
        try:
            life.run()
            if self._is_over:
                invariants.check(self, life)
        finally:
            self.died(life)
            self.life = None
            life.loop.bury()
            if self.venue.door is life.door:
                self.venue.cut(0.0)
        if not self._is_over and self._broken is None:
            self.timeline.run(self.timeline.now + round(self._draw.uniform(0.02, 2.0) * SECOND))
            if self.weather.strikes(Fault.CLOCK_SET):
                self.skew = self.weather.draw(Fault.CLOCK_SET).choice((-3600, -5, 0, 5, 3600)) * SECOND
                self.story.tell("the wall clock is now {} s off", self.skew // SECOND)
            self.timeline.after(0.3, self.trader.retry)

    def born(self, life: Life) -> None:
        """Decides when a process dies, where that is known from its start."""
        if self.weather.strikes(Fault.KILLED_STARTING):
            life.loop.killed_at = self.weather.draw(Fault.KILLED_STARTING).randrange(1, 80)

    def died(self, life: Life) -> None:
        """A process is over; `life.killed` says how."""

    def committed(self, batch: Batch) -> None:
        """The journal has taken a batch: the observer reads it."""
        records = decode(batch.body)
        if batch.last_seq > MOST_RECORDS:
            self.fail(Broken("rest", f"{MOST_RECORDS} records have been written: something goes round in circles"))
        try:
            self.observer.committed(records)
            self.copy_watch.committed(records, batch.first_seq)
        except Broken as broken:
            self.fail(broken)

    def sending(self, ticket: Ticket, *, is_connected: bool) -> None:
        """An order is about to leave, if there is a link."""
        try:
            self.observer.sending(ticket, is_connected=is_connected)
        except Broken as broken:
            self.fail(broken)

    def fail(self, broken: BaseException) -> None:
        """Something does not hold: the process is stopped, and the world ends."""
        if self._broken is None:
            self._broken = broken
        if self.life is not None:
            self.life.kill(f"because {broken}")

    def ask(self, command: AnyCommand, words: str, then: Answer | None = None) -> None:
        """Somebody asks the desk for something; with no desk running, nobody is there to hear it."""
        life = self.life
        if life is None or life.is_dead or not life.is_open:
            return
        self.story.tell("{}", words)

        def told(outcome: Outcome | None, error: EvenkeelError | None) -> None:
            if error is not None:
                self.story.tell("  declined: {}", error.message)
            if then is not None:
                then(outcome, error)

        life.submit(command, told)

    def act(self) -> None:
        """The trader acts, and will again."""
        if not self.weather.is_clear:
            self.trader.act()
            self.timeline.after(self.trader.pause, self.act)

    def _tick(self) -> None:
        """The market moves, and what may befall us between two moves does."""
        if self._settled:
            return
        life = self.life
        if life is not None and self._all_is_told(life) and self.weather.strikes(Fault.SPLIT):
            self._split(life)
            self.timeline.after(TICK, self._tick)
            return
        market = self.market.tick(self.timeline.now)
        self._show(market)
        self.venue.observe(market)
        self._befall()
        self.timeline.after(TICK, self._tick)

    def _all_is_told(self, life: Life) -> bool:
        """Whether nothing is on its way, and every execution of the venue is booked: a night between two sessions."""
        fills = life.runner.state.fills
        executed = self.venue.book.state.executions.items()
        return (
            life.is_quiet
            and not self.venue.busy
            and all((account_id, fill.execution_id) in fills for account_id, found in executed for fill in found)
        )

    def _show(self, market: object) -> None:
        if self.weather.strikes(Fault.SILENT_FEED):
            self._silent_until = self.timeline.now + 2 * SECOND
            self.story.tell("the feed falls silent")
        if self.life is not None and not self.life.is_dead and self.timeline.now >= self._silent_until:
            self.life.show(market)  # type: ignore[arg-type]

    def _befall(self) -> None:
        weather, life = self.weather, self.life
        if weather.strikes(Fault.LINK_LOST):
            self.venue.cut(2.0 * weather.draw(Fault.LINK_LOST).random())
        if weather.strikes(Fault.HAND_TRADE):
            self.venue.trade_by_hand(self._by_hand())
        if weather.strikes(Fault.HAND_CANCEL):
            working = [order for order in self.venue.book.state.orders.values() if order.is_working]
            if working:
                self.venue.cancel_by_hand(weather.draw(Fault.HAND_CANCEL).choice(working))
        if weather.strikes(Fault.BUST):
            fills = [fill for found in self.venue.book.state.executions.values() for fill in found]
            if fills:
                self.venue.bust(fills[-1])
        if life is None or life.is_dead:
            return
        if life.has_failed:
            life.kill("after trading has halted, to start again")
        elif weather.strikes(Fault.KILLED):
            life.kill("at any moment")

    def _by_hand(self) -> OrderSpec:
        draw = self.weather.draw(Fault.HAND_TRADE)
        return OrderSpec(
            account_id=draw.choice(("A", "B") if self.copies is None else ("A", "B", *self.copies.followers)),
            book="",
            instrument_id=draw.choice((ACME, BOLT)).id,
            side=draw.choice(tuple(Side)),
            quantity=Decimal(draw.choice((7, 70))),
            kind=OrderKind.MARKET,
            client_order_id="hand",
        )

    def _split(self, life: Life) -> None:
        """First the engine, which is told by its feed overnight; then the venue's own books."""
        market = self.market.split(self.timeline.now)
        self.story.tell("ACME splits, two for one")
        self.venue.split_at[ACME.id] = self.timeline.now
        self.venue.observe(market)
        life.show(market)

    def clear(self) -> None:
        """The weather clears: what is under way comes to an end, and nothing more is begun."""
        if self.weather.is_clear:
            return
        self.weather.is_clear = True
        self.disk.full_until = self.venue.down_until = self._silent_until = 0
        self._rest_since = self.timeline.now
        self.story.tell("the weather clears")
        self.timeline.after(1.6, self._settle)

    def _settle(self) -> None:
        """Looks whether all is at rest: after a fresh start of the link, after a person's word, and after another."""
        life = self.life
        if self.timeline.now - self._rest_since > MOST_REST * SECOND:
            self.fail(Broken("rest", f"after {MOST_REST:.0f} s nothing is at rest: {self._restless()}"))
            return
        if life is not None and not life.is_dead:
            if life.has_failed:
                life.kill("after trading has halted, to start again")
            elif self._at_rest(life) and self._conclude(life):
                return
        self.timeline.after(0.27, self._settle)

    _steps = 0
    _corrected = 0

    def _conclude(self, life: Life) -> bool:
        """Goes on to the next step; True when there is none. Where something is in doubt, a person is asked first."""
        doubts = [one for one in life.runner.state.orders.values() if one.state is OrderState.IN_DOUBT]
        if doubts and self._steps:
            for order in doubts:
                self.story.tell("a person looks, and says that the venue has no {}", order.venue_client_id[:6])
                self.ask(c.ResolveOrder(provenance=WHO, order_id=order.id), "so it is")
            self._steps = 1
            return False
        self._steps += 1
        match self._steps:
            case 1 | 2:
                self.venue.cut(0.0)
            case 3:
                self._corrected = self.observer.corrected
                self._settled = True
                self.venue.cut(0.0)
            case _:
                if self.observer.corrected != self._corrected:
                    self.fail(Broken("I7", "reconciled again, the positions were corrected again"))
                self._is_over = True
                life.loop.stop()
                return True
        return False

    def _at_rest(self, life: Life) -> bool:
        accounts = life.runner.state.accounts.values()
        return (
            life.is_quiet
            and not self.venue.busy
            and self.venue.door is life.door
            and all(account.readiness is Readiness.READY for account in accounts)
        )

    def _restless(self) -> str:
        life = self.life
        if life is None:
            return "no process"
        runner = life.runner
        held = {name: str(one.readiness) for name, one in runner.state.accounts.items()}
        return (
            f"open {life.is_open}, sending {runner.dispatcher.busy}, unheard {runner.links.backlog()}, "
            f"venue {self.venue.busy}, accounts {held}, {life.waits}"
        )


def opening(draw: Random) -> list[AnyCommand]:
    """Two shares; a margin account that may do much and a cash account that may not; a strategy in both."""
    system = Provenance("setup", Source.SYSTEM)
    rate = SendRate(per_second=5.0, burst=4, reserved=2) if draw.random() < 0.3 else None
    wide = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, allow_short=True, rate=rate)
    tight = Limits(max_position_share=Decimal("0.5"), daily_loss=Decimal("0.05"), max_trades_per_day=20)
    accounts = [
        Account("A", "user", "Wide", NAME, "USD", AccountMode.PAPER, AccountType.MARGIN, limits=wide),
        Account("B", "user", "Tight", NAME, "USD", AccountMode.PAPER, AccountType.CASH, limits=tight),
    ]
    protection = Protection(stop_loss=0.01, take_profit=0.02) if draw.random() < 0.5 else None
    shares = (Allocation("A", Decimal("0.5")), Allocation("B", Decimal("0.3")))
    deployment = Deployment(
        BOOK, "Trend", "sma", "1", {}, tuple(one.id for one in INSTRUMENTS), shares, protection=protection
    )
    return [
        *[c.ListInstrument(provenance=system, instrument=one) for one in INSTRUMENTS],
        *[c.OpenAccount(provenance=system, account=one, initial_cash=Decimal(100_000)) for one in accounts],
        c.Deploy(provenance=system, deployment=deployment),
    ]
