"""What faults make of copies, one by one: each of these was found by the simulator, and is told here in short."""

from typing import Any

import pytest

from evenkeel.desk.copytrading import reading
from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import (
    CopyChange,
    CopyFilter,
    CopyKind,
    CopyLink,
    CopyMode,
    CopySide,
    CopyTerms,
    FollowerMoved,
    MasterFill,
    SymbolRule,
)
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.orders import Order, OrderEvent, OrderKind, OrderState, Side, TimeInForce
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import AccountReconciled, OrderMoved
from evenkeel.trading.engine.copying.links import Leg
from tests.desk.copytrading.reading import SECOND, Copies
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound, split_slice


class Desk(Copies, World):
    """A master M and a follower F; the venue of both is what a test says it is."""

    def __init__(self, mode: CopyMode = CopyMode.FILLS, **more: Any) -> None:
        super().__init__()
        self.reads = False
        for name in ("M", "F"):
            self.account(name, "10000000")
        for one in (ACME, BOLT):
            self.price(one, 10)
        self.taken, self.reads = len(self.records), True
        self.step(c.OpenCopyLink(provenance=WHO, link=link(mode, **more)))

    def trade(self, side: Side, quantity: str, *, of: str = ACME.id) -> None:
        """The master trades; nothing of the follower's fills."""
        self.fill(self.submit(side, quantity, account_id="M", instrument_id=of), quantity)

    def copies(self) -> list[Order]:
        return [order for order in self.state.orders.values() if order.spec.book == "link"]

    def works(self) -> list[tuple[Side, Any]]:
        return [(order.spec.side, order.remaining) for order in self.copies() if order.is_working]

    def fill_all(self) -> None:
        for order in [one for one in self.copies() if one.is_working]:
            self.fill(order, str(order.remaining))

    def has(self, instrument_id: str = ACME.id) -> Any:
        return self.state.position(PositionKey("F", "link", instrument_id)).quantity

    def told(self) -> list[CopyTaken]:
        return self.of(CopyTaken)


def link(mode: CopyMode = CopyMode.FILLS, **more: Any) -> CopyLink:
    return CopyLink(id="link", master_id="M", follower_id="F", mode=mode, proposed_by="u", accepted=True, **more)


def test_what_stands_in_for_another_is_not_copied_itself() -> None:
    """One position of the follower's would have two masters, and each would sell what the other has bought."""
    desk = Desk(symbols={ACME.id: SymbolRule(BOLT.id)})
    desk.trade(Side.BUY, "10")
    desk.fill_all()
    desk.trade(Side.BUY, "4", of=BOLT.id)
    assert desk.told()[-1].skipped == "the follower trades it in another's place"
    desk.trade(Side.SELL, "4", of=BOLT.id)
    assert (desk.has(BOLT.id), desk.works()) == (D(10), [])
    desk.trade(Side.SELL, "10")
    desk.fill_all()
    assert desk.has(BOLT.id) == 0
    assert_sound(desk)


def test_two_instruments_have_no_stand_in_in_common() -> None:
    desk = Desk()
    symbols = {ACME.id: SymbolRule(BOLT.id), BOLT.id: SymbolRule(BOLT.id)}
    error = desk.declined(c.OpenCopyLink(provenance=WHO, link=CopyLink(
        id="two", master_id="F", follower_id="M", mode=CopyMode.FILLS, proposed_by="u", symbols=symbols,
    )))  # fmt: skip
    assert isinstance(error, InvalidInput)
    assert {fault.field for fault in error.errors} == {f"symbols.{ACME.id}", f"symbols.{BOLT.id}"}


def owing(**terms: Any) -> Desk:
    """The follower's buy of 10 works; the master has turned to -6, and what that opens waits for the buy."""
    desk = Desk(terms=CopyTerms(**terms))
    desk.trade(Side.BUY, "10")
    desk.trade(Side.SELL, "16")
    last = desk.told()[-1]
    assert last.owed == -10
    assert (last.owed_at > 0, last.owed_price) == (True, D(10))
    assert desk.works() == [(Side.BUY, D(10)), (Side.SELL, D(6))]
    return desk


def test_what_waited_is_opened_once_it_may_be() -> None:
    desk = owing()
    desk.fill_all()
    desk.fill_all()
    assert desk.has() == -6
    assert_sound(desk)


@pytest.mark.parametrize("why", ["old", "paused"])
def test_what_waited_too_long_or_through_a_pause_is_not_opened(why: str) -> None:
    desk = owing()
    (buy, sell) = [order for order in desk.copies() if order.is_working]
    if why == "old":
        desk.now += 60 * SECOND
    else:
        desk.step(c.ChangeCopyLink(provenance=WHO, link_id="link", change=CopyChange(paused=True)))
    desk.step(desk.said(e.VenueRejected, sell, reason="no"))
    desk.fill(buy, "10")
    desk.fill_all()
    assert desk.has() == 0, "what closes is closed however old it is"
    assert any(why in one.skipped for one in desk.told())
    assert_sound(desk)


def test_what_waited_is_opened_at_no_worse_a_price_than_the_masters() -> None:
    desk = owing(max_slippage=D("0.01"))
    for _ in range(3):
        desk.fill_all()
    opened = [one for one in desk.copies() if one.spec.side is Side.SELL and one.spec.kind is OrderKind.LIMIT]
    assert opened
    assert all(one.limit_price is not None and one.limit_price >= D("9.90") for one in opened)


def test_nothing_is_opened_against_what_still_works_on_the_other_side_of_a_filter() -> None:
    """The copy of a short that has not filled yet is no reason to buy in a link that opens no longs."""
    desk = Desk(filter=CopyFilter(side=CopySide.SHORT))
    desk.trade(Side.SELL, "10")
    desk.trade(Side.BUY, "20")
    assert desk.works() == [(Side.SELL, D(10))]
    desk.fill_all()
    desk.fill_all()
    assert desk.has() == 0
    assert_sound(desk)


def test_what_was_read_after_a_split_is_not_traded_in_old_shares() -> None:
    """Killed between a fill and its copy, and started after the split: what it closed is closed in new shares."""
    desk = Desk()
    desk.trade(Side.BUY, "100")
    desk.fill_all()
    desk.reads = False
    desk.trade(Side.SELL, "50")
    desk.trade(Side.BUY, "10")
    desk.step(split_slice(1, "2:1"))
    desk.reads = True
    desk.copy()
    told = [one.skipped for one in desk.told() if one.kind is CopyKind.FILL][-2:]
    assert told == ["the instrument has split since"] * 2
    desk.fill_all()
    assert (desk.has(), desk.state.copying.links["link"].leg(ACME.id).wanted) == (D(120), D(120))
    assert_sound(desk)


def test_a_copy_in_doubt_is_not_asked_to_end_over_and_over() -> None:
    """A change that came too early, a cancel that nobody answers: each is asked once, and not by what it has caused."""
    desk = Desk(CopyMode.ORDERS)
    terms = {"kind": OrderKind.LIMIT, "limit_price": D(9), "time_in_force": TimeInForce.GTC, "account_id": "M"}
    theirs = desk.submit(Side.BUY, "10", **terms)
    (copy,) = desk.copies()
    desk.step(desk.said(e.VenueAccepted, theirs))
    desk.step(c.ModifyOrder(provenance=WHO, order_id=theirs.id, quantity=D(6)))
    desk.step(desk.said(e.VenueAmended, theirs, quantity=D(6), limit_price=D(9), stop_price=None))
    assert desk.told()[-1].stale
    desk.step(e.SendUncertain(copy.id, "no answer"))
    desk.step(desk.said(e.VenueCancelled, theirs))
    asked = [one for one in desk.of(OrderMoved) if one.order_id == copy.id and one.event is OrderEvent.CANCEL_REQUEST]
    assert len(asked) == 1
    assert not desk.state.copying.links["link"].copies[theirs.id].stale


def test_a_cancel_that_the_venue_refused_is_asked_again_once_the_account_is_compared() -> None:
    desk = Desk(CopyMode.ORDERS)
    terms = {"kind": OrderKind.LIMIT, "limit_price": D(9), "time_in_force": TimeInForce.GTC, "account_id": "M"}
    theirs = desk.submit(Side.BUY, "10", **terms)
    (copy,) = desk.copies()
    for order in (theirs, copy):
        desk.step(desk.said(e.VenueAccepted, order))
    desk.step(desk.said(e.VenueCancelled, theirs))
    desk.step(desk.said(e.VenueCancelRefused, copy, reason="not now"))
    assert copy.state is OrderState.ACCEPTED
    back = [FollowerMoved((), (theirs.id,))]
    one = desk.state.copying.links["link"]
    assert [event for _, event in reading._back(desk.state, "F")] == back
    desk.step(c.TakeCopy(provenance=WHO, link_id=one.link.id, source=desk.state.seq + 1, event=back[0]))
    assert copy.state is OrderState.CANCEL_PENDING
    assert_sound(desk)


def test_what_a_follower_settles_is_judged_when_all_of_the_masters_is_read() -> None:
    """After a start the follower's account may be compared before the master's, whose fill is thus read after it."""
    desk = Desk(CopyMode.ORDERS)
    theirs = desk.submit(Side.BUY, "10", account_id="M")
    (copy,) = desk.copies()
    desk.fill(copy, "10")
    desk.reads = False
    first = len(desk.records)
    desk.fill(theirs, "10")
    records = [AccountReconciled(at=desk.now, account_id="F"), *desk.records[first:]]
    desk.state.copying.links["link"].legs[ACME.id] = Leg()
    found = reading.commands(desk.state, records, first_seq=first, volatility=lambda *_: None)
    assert [type(one.event) for one in found] == [MasterFill, FollowerMoved]
    desk.taken = len(desk.records)
    for command in found:
        desk.step(command)
    assert (desk.has(), desk.works()) == (D(10), [])


@pytest.mark.parametrize(
    ("kind", "again"),
    [(e.VenueExpired, True), (e.IntentOverdue, True), (e.VenueRejected, False), (e.VenueCancelled, False)],
)
def test_a_closing_that_time_has_ended_is_asked_for_again(kind: type[Any], again: bool) -> None:
    """After a start an account may be compared while its closing is still on the way, and only then found not sent."""
    desk = Desk()
    desk.trade(Side.BUY, "10")
    desk.fill_all()
    desk.trade(Side.SELL, "4")
    closing = desk.copies()[-1]
    if kind is e.IntentOverdue:
        desk.step(e.IntentOverdue(closing.id))
    else:
        if kind is not e.VenueRejected:
            desk.step(desk.said(e.VenueAccepted, closing))
        desk.step(desk.said(kind, closing, **{"reason": "no"} if kind is e.VenueRejected else {}))
    assert not closing.is_open
    assert desk.works() == ([(Side.SELL, D(4))] if again else [])
    desk.fill_all()
    assert desk.has() == D(6 if again else 10)
    assert_sound(desk)


def test_an_opening_that_time_has_ended_is_not_asked_for_again() -> None:
    desk = Desk()
    desk.trade(Side.BUY, "10")
    desk.step(desk.said(e.VenueAccepted, desk.copies()[-1]))
    desk.step(desk.said(e.VenueExpired, desk.copies()[-1]))
    assert (desk.has(), desk.works()) == (D(0), [])
