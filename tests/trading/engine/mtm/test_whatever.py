"""Whatever prices, venues and restarts do: what closes never exceeds what is held, and a breached level ends flat."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.mtm import Basis
from evenkeel.domain.mtm_records import MtmBased, MtmBreached
from evenkeel.domain.orders import Order, OrderKind, OrderState, Product, Side
from evenkeel.domain.panics import ScopeKind
from evenkeel.domain.positions import key_of
from evenkeel.domain.provenance import Source
from evenkeel.trading.engine.mtm.levels import Gauge, held_in
from tests.trading.engine.mtm.desk import IN_ACME, MAIN, TREND, USER, Desk
from tests.trading.engine.world import ACME, WHO, D, assert_sound, fold

WORK = ("fall", "rise", "day", "confirm", "refuse", "reject", "part", "fill", "due", "restart", "by-hand", "order")
BOOKS = ("manual", "trend")


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_closes_never_exceeds_what_is_held(data: st.DataObject) -> None:
    desk = Desk("A", "B", held=False)
    desk.deploy(("A", "0.5"), ("B", "0.5"))
    for side, quantity, book, account in data.draw(_orders):
        desk.holding(str(quantity if side is Side.BUY else -quantity), "100", book=book, account_id=account)
    for scope in data.draw(st.lists(st.sampled_from((IN_ACME, TREND, MAIN, USER)), min_size=1, unique=True)):
        basis = data.draw(st.sampled_from(Basis))
        desk.set(scope, stop=str(data.draw(st.integers(50, 400))), trail=("300", "200"), basis=basis)
    for event in data.draw(st.lists(st.sampled_from(WORK), max_size=25)):
        _happen(desk, event, data)
        _assert_profits(desk)
    for _ in range(80):
        _happen(desk, "answer", data)
    breached = [level for level in desk.state.mtm.values() if level.breached is not None]
    for level in breached:
        for key, position in held_in(desk.state, level.scope):
            mine = desk.state.accounts[key.account_id]
            is_netted = any(
                one.scope.kind is not ScopeKind.STRATEGY
                and one.scope.covers(mine.account, key.book, instrument_id=key.instrument_id)
                for one in breached
            )
            held = mine.net[key.instrument_id] if is_netted else position.quantity
            assert held == 0, "of books that offset each other the broker holds nothing"
    assert all(halt.done_at for halt in desk.state.halts.values())
    assert_sound(desk)


_orders = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 60), st.sampled_from(BOOKS), st.sampled_from("AB")),
    min_size=1,
    max_size=4,
)


def _happen(desk: Desk, event: str, data: st.DataObject) -> None:
    working = [order for held in desk.state.accounts.values() for order in held.working.values()]
    match event:
        case "fall" | "rise":
            mark = desk.state.mark(ACME.id) or D(100)
            move = data.draw(st.integers(1, 600)) / D(100)
            desk.quote(ACME, str(max(D(1), mark - move if event == "fall" else mark + move)))
        case "day":
            desk.now += 86_400 * 10**9
            desk.quote(ACME, str(desk.state.mark(ACME.id)))
        case "restart":
            marks = desk.state.marks
            desk.engine.state = fold(desk.records)
            desk.engine.state.marks.update(marks)
            desk.step(e.Started(run="again", version="1", at=desk.now))
            for account_id in "AB":
                desk.step(desk.snapshot(account_id))
        case "order" | "by-hand":
            side = data.draw(st.sampled_from(Side))
            kind = {"kind": OrderKind.LIMIT, "limit_price": D(90)} if event == "order" else {}
            book, account = data.draw(st.sampled_from(BOOKS)), data.draw(st.sampled_from("AB"))
            quantity = str(data.draw(st.integers(1, 40)))
            desk.submit(side, quantity, book=book, account_id=account, **kind)
        case "due":
            desk.step(e.PanicDue())
        case "answer":  # an order that rests keeps no other waiting
            due = (one for one in working if one.state is OrderState.CANCEL_PENDING or one.kind is OrderKind.MARKET)
            order = next(due, None)
            if order is None:
                desk.step(e.PanicDue())
            else:
                _answer(desk, order, event)
        case _ if working:
            _answer(desk, data.draw(st.sampled_from(working)), event)
        case _:
            desk.step(e.PanicDue())


def _answer(desk: Desk, order: Order, event: str) -> None:
    """The venue speaks of an order: it cancels one whose cancel waits, and fills or rejects another."""
    is_fresh = order.state is OrderState.SUBMITTED
    waits = order.state is OrderState.CANCEL_PENDING
    if event in ("confirm", "answer") and waits:
        desk.step(desk.said(e.VenueCancelled, order))
    elif event == "refuse" and waits:
        if not order.has_venue_event:  # else nobody would know whether the venue has it at all
            desk.step(desk.said(e.VenueAccepted, order))
        desk.step(desk.said(e.VenueCancelRefused, order, reason="no"))
    elif event == "reject" and is_fresh:
        desk.step(desk.said(e.VenueRejected, order, reason="no"))
    elif event == "part":
        _fill(desk, order, max(D(1), (order.remaining / 2).to_integral_value()))
    elif event == "fill" or order.spec.kind is OrderKind.MARKET:
        _fill(desk, order, order.remaining)
    else:
        desk.step(e.PanicDue())


def _fill(desk: Desk, order: Order, quantity: Decimal) -> None:
    """Fills, and sees that what was to close something has not carried it through zero."""
    before = desk.state.position(key_of(order.spec)).quantity
    desk.fill(order, str(quantity), str(desk.state.mark(ACME.id)))
    after = desk.state.position(key_of(order.spec)).quantity
    if order.source == Source.PANIC:
        assert before * after >= 0, "a close went through zero"
        assert abs(after) < abs(before)


def _assert_profits(desk: Desk) -> None:
    """What an armed level is measured at is what a new count of all its positions gives."""
    for key, gauge in desk.state.mtm.gauges.items():
        anew = Gauge.of(desk.state, desk.state.mtm[key])
        assert (gauge.made, gauge.open, gauge.blind) == (anew.made, anew.open, anew.blind)
    for level in desk.state.mtm.values():
        breaches = [one for one in desk.of(MtmBreached) if one.scope == level.scope]
        armed = [one for one in desk.of(MtmBased) if one.scope == level.scope and one.why != "flat"]
        assert len(breaches) <= 1 + len(armed)


def test_the_products_of_a_book_are_closed_each_for_itself() -> None:
    desk = Desk(held=False)
    for product, quantity in ((Product.MIS, "30"), (Product.CNC, "-10")):
        desk.holding(quantity, "100", product=product)
    desk.set(stop="100")
    desk.quote(ACME, "95")
    assert [(o.spec.product, o.spec.side, o.quantity) for o in desk.closing()] == [
        (Product.MIS, Side.SELL, D(30)),
        (Product.CNC, Side.BUY, D(10)),
    ]


def _offset() -> Desk:
    """A strategy 35 ACME long whose book another one offsets, so that a panic of the user has nothing to close."""
    desk = Desk("A", held=False)
    desk.deploy(("A", "0.5"))
    desk.holding("35", "100", book="trend")
    desk.holding("-35", "100")
    desk.set(TREND, stop="100")
    desk.step(c.Panic(provenance=WHO, scope=USER, reason="", cooldown=0))
    desk.quote(ACME, "95")
    assert (desk.level(TREND).breached is not None, desk.closing()) == (True, [])
    return desk


def test_what_was_left_to_a_wider_panic_is_closed_when_that_ends() -> None:
    desk = _offset()
    desk.step(c.Resume(provenance=WHO, scope=USER))
    assert [(o.spec.book, o.spec.side, o.quantity) for o in desk.closing()] == [("trend", Side.SELL, D(35))]
    desk.settle("95")
    assert all(halt.done_at for halt in desk.state.halts.values())
    assert desk.position("manual") == -35, "what it offset is another's"
    assert_sound(desk)


def test_levels_that_end_in_the_same_moment_leave_each_other_nothing() -> None:
    desk = Desk("A", held=False)
    desk.deploy(("A", "0.5"))
    desk.holding("35", "100", book="trend")
    desk.holding("-34", "100")
    desk.set(TREND, stop="100")
    desk.set(USER, stop="3")
    desk.quote(ACME, "95")
    desk.settle("95")
    assert [one.done_at > 0 for one in desk.state.halts.values()] == [True, True]
    before = len(desk.closing())
    desk.now += 86_400 * 10**9
    desk.quote(ACME, "95")
    assert (desk.state.halts, len(desk.closing())) == ({}, before)
    assert_sound(desk)
