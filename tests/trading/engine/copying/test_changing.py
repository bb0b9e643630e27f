"""Copies of orders that change, where master and follower are at brokers that take different kinds."""

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain import copying as d
from evenkeel.domain import events as e
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.orders import Kept, Order, OrderKind, Side, TimeInForce, Trail
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from evenkeel.trading.engine.effects import SendAmendment
from tests.trading.engine.world import ACME, WHO, D, World, assert_sound


def copied(world: World, event: d.CopyEvent) -> CopyTaken:
    world.step(c.TakeCopy(provenance=WHO, link_id="A-B", source=world.state.seq + 5, event=event))
    told: CopyTaken = world.of(CopyTaken)[-1]
    return told


def copied_stop(world: World) -> tuple[Order, Order]:
    """A trailing stop on all that the master holds, and its copy."""
    world.holding("100", "50")
    copied(world, d.MasterFill(d.CopyKind.FILL, ACME.id, D(100), D(50), world.now, factor=D(1)))
    theirs = world.resting(
        Side.SELL, "100", kind=OrderKind.TRAILING_STOP, trail=Trail(D(5)), time_in_force=TimeInForce.GTC
    )
    (order_id,) = copied(world, d.MasterOrder(theirs.id, factor=D(1))).orders
    mine = world.state.orders[order_id]
    world.step(world.said(e.VenueAccepted, mine))
    return theirs, mine


def test_a_trailing_stop_that_is_followed_here_is_cut_where_the_followers_broker_has_it() -> None:
    world = World()
    world.account("A")
    world.account("B", broker="native")
    world.price(ACME, 50.0)
    world.state.profiles["native"] = msgspec.structs.replace(
        IN_PROCESS, name="native", order_kinds=frozenset(OrderKind)
    )
    link = d.CopyLink(id="A-B", master_id="A", follower_id="B", mode=d.CopyMode.ORDERS, proposed_by="u", accepted=True)
    world.step(c.OpenCopyLink(provenance=WHO, link=link))
    world.holding("100", "50", account_id="B", book="A-B")
    theirs, mine = copied_stop(world)
    assert theirs.kept is not None
    assert theirs.kept.trail == Trail(D(5))
    assert (mine.kind, mine.kept) == (OrderKind.TRAILING_STOP, Kept(reduces=True))
    world.step(c.ModifyOrder(provenance=WHO, order_id=theirs.id, quantity=D(60)))
    world.step(world.said(e.VenueAmended, theirs, quantity=D(60), stop_price=D(45)))
    world.effects.clear()
    told = copied(world, d.MasterChange(theirs.id))
    assert (told.kind, told.skipped) == (d.CopyKind.CHANGE, "")
    (asked,) = [one.amendment.spec for one in world.effects if isinstance(one, SendAmendment)]
    assert (asked.account_id, asked.quantity, asked.trail) == ("B", D(60), Trail(D(5)))
    assert_sound(world)
