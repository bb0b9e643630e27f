"""One account at the live engine, with a simulated venue's book behind it: what the live runner does, called in turn.

No journal, no event loop, no wall clock: a command is stepped, its effects go to the book at once, and what the book
answers is stepped in the same order as live. Whoever wants the records is told of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_DOWN, Decimal

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import MANUAL, Account, AccountType, Financing, LedgerEntry, LedgerKind, Limits
from evenkeel.domain.errors import BrokerRejected, EvenkeelError, InvalidInput
from evenkeel.domain.events import AnyVenueEvent, BrokerSnapshot, SendFailed, SliceDone, SliceMet
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.money import is_bookable, minor_unit, rounded, sub
from evenkeel.domain.mtm_records import MtmPlanned, MtmRulesSet
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import AnyRecord, CashBooked
from evenkeel.domain.strategies import Deployment
from evenkeel.quant.costs import CostSchedule, FillModel
from evenkeel.quant.costs.carrying import day_roll
from evenkeel.research.backtest import mtm
from evenkeel.research.backtest.terms import FillAt, Terms
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.engine.effects import Effect, SendAmendment, SendCancel, SendOrder
from evenkeel.trading.engine.engine import Engine
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.mtm.hours import wanted
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.live.hours import sessions_of

ACCOUNT = "backtest"
WHO = Provenance("backtest", Source.SYSTEM)
# Nothing but lot, tick, currency and a known price: a backtest without limits answers for itself.
NO_LIMITS = Limits(
    max_position_share=None, daily_loss=None, max_trades_per_day=None, allow_short=True, cash_check=False
)

Answer = AnyVenueEvent | SendFailed
Told = Callable[[tuple[AnyRecord, ...]], None]


def _limits(terms: Terms) -> Limits:
    limits = terms.limits or NO_LIMITS
    if terms.maintenance is None:
        return limits
    return msgspec.structs.replace(limits, maintenance=Decimal(repr(terms.maintenance)))


def _financing(terms: Terms) -> Financing | None:
    rates = Financing(debit=terms.financing, credit=terms.credit, borrow=terms.borrow)
    return rates if rates != Financing() else None


class Counted:
    """Ids for a run that never leaves its process: what is named, and its number."""

    def public(self, at: int, sequence: int, tag: str) -> str:
        return f"{tag}-{sequence:010d}"

    def venue(self, at: int, sequence: int, tag: str) -> str:
        return f"{tag}.{sequence:010d}"


class Desk:
    """Opens the account at `at` (ns) and deploys. `told` gets the records of every step."""

    def __init__(
        self, instruments: Iterable[Instrument], deployment: Deployment, *, terms: Terms, at: int, told: Told
    ) -> None:
        schedules: Callable[[str], CostSchedule] = {terms.costs.name: terms.costs}.__getitem__
        self.engine = Engine(State(find_schedule=schedules), Counted())
        model, at_close = FillModel(terms.slippage, terms.participation), terms.fill is FillAt.CLOSE
        self.book = Book(model=model, schedules=schedules, at_close=at_close)
        self.declined: list[str] = []
        self._told = told
        self._watches = any(rules.has_amounts for _, rules in terms.mtm)
        listed = tuple(instruments)
        zone, roll = day_roll(one.calendar for one in listed)
        account = Account(
            id=ACCOUNT,
            user_id=ACCOUNT,
            name=ACCOUNT,
            broker="simulated",
            currency=terms.currency,
            type=AccountType.MARGIN,
            costs=terms.costs.name,
            time_zone=zone,
            roll=roll,
            limits=_limits(terms),
            financing=_financing(terms),
        )
        self._open(account, terms.cash, at)
        for instrument in listed:
            self.engine.step(c.ListInstrument(provenance=WHO, instrument=instrument), at)
            self.book.list_instrument(instrument)
        self.engine.step(c.Deploy(provenance=WHO, deployment=deployment), at)
        self.account: AccountState = self.engine.state.accounts[ACCOUNT]
        for command in mtm.commands(terms.mtm, ACCOUNT, WHO):
            self._plan(self.engine.step(command, at).records, at)

    def _open(self, account: Account, cash: Decimal, at: int) -> None:
        whole = rounded(cash, minor_unit(account.currency), ROUND_DOWN)
        self.engine.step(c.OpenAccount(provenance=WHO, account=account, initial_cash=whole), at)
        self._add_fraction(sub(cash, whole), at)
        self.book.open_account(account, cash)
        self.engine.step(BrokerSnapshot(account_id=account.id, complete=True), at)

    def _add_fraction(self, amount: Decimal, at: int) -> None:
        """What a backtest before this one has left below the smallest amount that can be deposited."""
        if not is_bookable(amount):
            raise InvalidInput("the cash of a backtest has at most 18 decimal places")
        account = self.engine.state.accounts[ACCOUNT]
        if amount:
            entry = LedgerEntry(ACCOUNT, MANUAL, account.account.currency, LedgerKind.DEPOSIT, amount, account.day)
            apply(self.engine.state, CashBooked(at=at, entries=(entry,), provenance=WHO))

    @property
    def is_quiet(self) -> bool:
        """True when no order works, and no drawdown is looked at: prices move, and nothing else before the day ends."""
        at_rest = self.book.is_quiet and not self.account.working and not self.account.held and not self._watches
        return at_rest and not self.engine.state.composites and not self.engine.state.tiered

    def show(self, market: MarketSlice) -> None:
        """Has engine and venue see a slice, and the engine all that the venue makes of it."""
        self._step(market, market.at)
        events: list[Answer] = [*self.book.observe(market)]
        if events:
            self._answer(events, market.at)
        if self.engine.state.minds_bars:
            self._conclude(market)

    def _hear(self, records: tuple[AnyRecord, ...], at: int) -> None:
        self._told(records)
        if self.engine.state.mtm:
            self._plan(records, at)

    def _plan(self, records: tuple[AnyRecord, ...], at: int) -> None:
        """Hands the engine the sessions to come that rules with times are for."""
        if any(type(record) in (MtmRulesSet, MtmPlanned) for record in records):
            for name in sorted(wanted(self.engine.state, at)):
                self._plan(self.engine.step(sessions_of(name, at), at).records, at)

    def _conclude(self, market: MarketSlice) -> None:
        """Lets exits meet the slice, and has the engine hear of its bars before and after that."""
        if market.splits or market.dividends or self.account.limits.maintenance is not None:
            self._step(SliceMet(market), market.at)
        events: list[Answer] = [*self.book.finish(market)]
        if events:
            self._answer(events, market.at)
        self._step(SliceDone(market), market.at)

    def _step(self, event: MarketSlice | SliceMet | SliceDone, at: int) -> None:
        step = self.engine.step(event, at)
        if step.records:
            self._hear(step.records, at)
        events: list[Answer] = []
        for effect in step.effects:
            events += self._carry_out(effect)
        if events:
            self._answer(events, at)

    def take(self, commands: Iterable[c.AnyCommand], at: int) -> None:
        """Steps commands, then lets out what follows from them. One that is declined leaves all as it was."""
        effects: list[Effect] = []
        for command in commands:
            try:
                step = self.engine.step(command, at)
            except EvenkeelError as error:
                self.declined.append(error.message)
                continue
            if step.records:
                self._hear(step.records, at)
            effects += step.effects
        events: list[Answer] = []
        for effect in effects:
            events += self._carry_out(effect)
        self._answer(events, at)

    def _answer(self, events: list[Answer], at: int) -> None:
        for event in events:  # grows by what follows
            step = self.engine.step(event, at)
            if step.records:
                self._hear(step.records, at)
            for effect in step.effects:
                events += self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> list[Answer]:
        if isinstance(effect, SendOrder):
            return [*self.book.place(effect.ticket)]
        if isinstance(effect, SendCancel):
            return [*self.book.cancel(effect.cancellation)]
        if isinstance(effect, SendAmendment):
            try:
                return [*self.book.modify(effect.amendment)]
            except BrokerRejected as error:  # it has just ended at the venue, which the engine is about to hear
                return [SendFailed(effect.order_id, "modify", error.message)]
        raise AssertionError(f"the simulated venue contradicts the engine: {effect.reason}")
