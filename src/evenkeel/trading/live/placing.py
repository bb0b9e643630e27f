"""Placing orders: which of those whose turn has come may still go out, in as few requests as their broker takes.

What it answers decides which event goes back in: a definite no is one, an unknown outcome is another, and neither is
followed by a second send.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import (
    BrokerError,
    BrokerRejected,
    BrokerUnavailable,
    EvenkeelError,
    Forbidden,
    NotReady,
    OutcomeUnknown,
)
from evenkeel.domain.events import IntentDelayed, IntentOverdue, SendFailed, SendUncertain, VenueRejected
from evenkeel.domain.orders import OrderState
from evenkeel.trading.brokers.handles import Handle, is_venue
from evenkeel.trading.brokers.ports import Broker, Ticket
from evenkeel.trading.live.intents import Intents
from evenkeel.trading.live.outbox import Outbox

if TYPE_CHECKING:
    from evenkeel.trading.live.dispatch import Dispatcher
    from evenkeel.trading.live.runner import Runner

log = structlog.get_logger(__name__)
RECHECK_AFTER = 0.25


class Placing:
    """`under_way` are orders being placed now; whoever wants to change one waits for its event."""

    def __init__(self, runner: "Runner", dispatcher: "Dispatcher", intents: Intents) -> None:
        self._runner, self._dispatcher, self._intents = runner, dispatcher, intents
        self._now = runner.clock.monotonic
        self._introduced: dict[str, set[str]] = {}
        self.under_way: dict[str, asyncio.Event] = {}

    def now(self, tickets: Sequence[Ticket], outbox: Outbox) -> bool:
        """Places orders of one account without waiting; False, and nothing done, where their broker does not answer at
        once, or not all of them may go out as they are."""
        account_id, at = tickets[0].spec.account_id, self._now()
        try:
            handle = self._dispatcher.handle_of(account_id)
        except EvenkeelError:
            return False  # to be told when their turn has come
        if not handle.is_near or not self._has_met(handle.broker, account_id, tickets):
            return False
        puts = [self._put_of(ticket, at) for ticket in tickets]
        if None in puts:
            return False
        for ticket, put in zip(tickets, puts, strict=True):
            self._left(ticket, at - (put or 0.0))
        started = time.perf_counter()
        answers: Sequence[Exception | None]
        try:
            answers = handle.place_now(tickets)
        except Exception as error:  # noqa: BLE001 - as below
            answers = [error] * len(tickets)
        self._told(tickets, answers, outbox, taken=time.perf_counter() - started)
        return True

    def _has_met(self, broker: Broker, account_id: str, tickets: Sequence[Ticket]) -> bool:
        """Whether a simulated venue knows the account and instruments already."""
        known = self._introduced.get(broker.profile.name, set())
        return known.issuperset([account_id, *[one.spec.instrument_id for one in tickets]]) or not is_venue(broker)

    def _put_of(self, ticket: Ticket, now: float) -> float | None:
        """When an intent that may go out as it is was put; None where it may not."""
        intent = self._intents.get(ticket.order_id)
        if intent is None or self._late(ticket, intent.put, intent.decided, now=now) is not None:
            return None
        return intent.put

    async def place(self, tickets: Sequence[Ticket], outbox: Outbox) -> None:
        """Sends orders of one account, as many at a time as its broker was said to take."""
        placed = asyncio.Event()
        self.under_way.update((ticket.order_id, placed) for ticket in tickets)
        try:
            await self._place(tickets, outbox)
        finally:
            for ticket in tickets:
                del self.under_way[ticket.order_id]
            placed.set()

    async def _place(self, tickets: Sequence[Ticket], outbox: Outbox) -> None:
        account_id = tickets[0].spec.account_id
        try:
            handle = self._dispatcher.handle_of(account_id)
            await self.introduce(handle.broker, account_id, *dict.fromkeys(one.spec.instrument_id for one in tickets))
            tickets = await self._good(tickets, outbox)
            if not tickets:
                return
            started = time.perf_counter()
            async with asyncio.timeout(handle.broker.profile.place_timeout / SECOND):
                answers = await _handed_over(handle, tickets)
            taken = time.perf_counter() - started
        except Exception as error:  # noqa: BLE001 - told apart, and told, for each order
            answers, taken = [error] * len(tickets), 0.0
        self._told(tickets, answers, outbox, taken=taken)

    def _told(
        self, tickets: Sequence[Ticket], answers: Sequence[Exception | None], outbox: Outbox, *, taken: float
    ) -> None:
        """Hands in what the broker has answered within so many seconds."""
        if len(answers) != len(tickets):
            fault = OutcomeUnknown(f"the adapter gave {len(answers)} answers to {len(tickets)} orders")
            answers = [fault] * len(tickets)
        for ticket, answer in zip(tickets, answers, strict=True):
            if answer is None:
                self._runner.on_stage("acknowledged", taken)
            else:
                self._heard(ticket, answer, outbox)

    def _heard(self, ticket: Ticket, error: Exception, outbox: Outbox) -> None:
        """Hands in what a broker's answer to an order means, other than that it was taken."""
        order_id, account_id, post = ticket.order_id, ticket.spec.account_id, self._runner.post
        match error:
            case BrokerRejected():
                client_id = ticket.venue_client_id
                post(VenueRejected(account_id=account_id, venue_client_id=client_id, reason=error.message))
            case BrokerUnavailable() | Forbidden():
                outbox.heed(error, self._now())
                self._intents.forget(order_id)
                post(SendFailed(order_id, "place", error.message))
            case OutcomeUnknown() | BrokerError() | TimeoutError():
                post(SendUncertain(order_id, str(error) or "the broker did not answer in time"))
            case _:
                log.error("an adapter failed while placing", order_id=order_id, exc_info=error)
                post(SendUncertain(order_id, f"the adapter failed: {error}"))

    async def introduce(self, broker: Broker, account_id: str, *instrument_ids: str) -> None:
        """Tells a simulated venue of the account and instruments it is about to deal with."""
        if not is_venue(broker):
            return
        known = self._introduced.setdefault(broker.profile.name, set())
        for instrument_id in instrument_ids:
            if instrument_id not in known:
                await broker.list_instrument(self._runner.state.instruments[instrument_id])
                known.add(instrument_id)
        if account_id not in known:
            held = self._runner.state.account(account_id)
            await broker.open_account(held.account, held.cash_in(held.account.currency))
            known.add(account_id)

    async def _good(self, tickets: Sequence[Ticket], outbox: Outbox) -> Sequence[Ticket]:
        """Takes intents out of the waiting ones; those to be sent now are the ones that have not ended, and need not be
        judged again.

        What was cancelled, split or ended while it waited does not go out as it was approved. What is judged again
        comes back to the head of its lane before this returns, but in a run that repeats itself.
        """
        good, late, now = list[Ticket](), list[IntentOverdue | IntentDelayed](), self._now()
        for ticket in tickets:
            intent = self._intents.take(ticket.order_id)
            if intent is None:
                outbox.give_back(now)
                continue
            news = self._late(ticket, intent.put, intent.decided, now=now)
            if news is None:
                self._left(ticket, now - intent.put)
                good.append(ticket)
            else:
                late.append(news)
        if late and self._runner.deterministic:
            for event in late:
                self._runner.post(event)
        elif late:
            with suppress(NotReady):
                await self._runner.post_all(late)
        for _ in late:
            outbox.give_back(self._now())
        return good

    def _left(self, ticket: Ticket, waited: float) -> None:
        """An intent goes out, after so many seconds."""
        self._intents.forget(ticket.order_id)
        self._runner.on_stage("sent", waited)

    def _late(self, ticket: Ticket, put: float, decided: float, *, now: float) -> IntentOverdue | IntentDelayed | None:
        """Why an intent that was put and decided then may not go out as it is; None where it may."""
        order_id, repeats = ticket.order_id, self._runner.deterministic
        if not repeats and self._intents.is_over(order_id, now):
            return IntentOverdue(order_id)
        if (repeats or now - put <= RECHECK_AFTER) and self._is_open(ticket, decided):
            order = self._runner.state.orders[order_id]
            if order.state is OrderState.SUBMITTED and order.stands_as(ticket.spec):
                return None
        return IntentDelayed(order_id, int((now - put) * 1e9))

    def _is_open(self, ticket: Ticket, since: float) -> bool:
        """Whether an order that must not go out before its account is compared may do so still."""
        needs_it = any(check.rule == "account-ready" for check in ticket.approval.checks)
        return not needs_it or self._runner.links.is_open_since(ticket.spec.account_id, since)


async def _handed_over(handle: Handle, tickets: Sequence[Ticket]) -> Sequence[Exception | None]:
    """What the broker answers to each of them."""
    if len(tickets) > 1:
        return await handle.place_all(tickets)
    await handle.place(tickets[0])
    return (None,)
