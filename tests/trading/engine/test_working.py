"""The running sums of working orders are what a walk over all of them would give, whatever has happened to them."""

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.money import ZERO, add, mul, total
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side
from evenkeel.trading.engine.holdings import Mark, Marks
from evenkeel.trading.engine.working import Working
from tests.trading.engine.world import ACME, BOLT, World

PRICES = {ACME.id: 10.0, BOLT.id: 20.0}
KINDS = {"market": None, "limit": Decimal("9.5"), "dear": Decimal("12.25")}
steps = st.lists(
    st.tuples(st.integers(0, 7), st.sampled_from(["order", "fill", "amend", "drop", "mark", "recount", "read"])),
    max_size=60,
)


def order(number: int, price: Decimal | None) -> Order:
    instrument = (ACME, BOLT)[number % 2]
    side = Side.SELL if number % 3 == 0 else Side.BUY
    kind = OrderKind.MARKET if price is None else OrderKind.LIMIT
    spec = World().spec(side, "10", instrument_id=instrument.id, kind=kind, limit_price=price)
    return Order(
        id=str(number),
        spec=spec,
        venue_client_id=str(number),
        state=OrderState.ACCEPTED,
        session_date=date(2024, 1, 2),
        created_at=0,
        updated_at=0,
        quantity=spec.quantity,
        limit_price=price,
        stop_price=None,
    )


class Reserves:
    """A cent is charged for each order, or nothing."""

    def __init__(self, marks: Marks, *, charged: bool) -> None:
        self.marks, self.charged = marks, charged

    def __call__(self, order: Order) -> Decimal:
        price = order.limit_price or self.unit(order.spec.instrument_id)
        return add(mul(order.remaining, price), Decimal("0.01") if self.charged else ZERO)

    def is_plain(self, order: Order) -> bool:
        return not self.charged

    def unit(self, instrument_id: str) -> Decimal:
        return Decimal(str(self.marks[instrument_id].price))


@given(steps, st.booleans())
@settings(max_examples=200)
def test_sums_equal_a_walk(steps: list[tuple[int, str]], charged: bool) -> None:
    working, marks = Working(), Marks({name: Mark(price, 0) for name, price in PRICES.items()})
    reserve = Reserves(marks, charged=charged)

    def check() -> None:
        for instrument_id in PRICES:
            for side in Side:
                here = [o for o in working.values() if (o.spec.instrument_id, o.spec.side) == (instrument_id, side)]
                found = working.quantity(instrument_id, reserve, is_buy=side is Side.BUY)
                assert found == total([o.remaining for o in here])
        buys = [reserve(o) for o in working.values() if o.spec.side is Side.BUY]
        assert working.reserved(reserve, marks) == total(buys)

    for number, what in steps:
        held = working.get(str(number))
        if what == "order" and held is None:
            working.keep(order(number, list(KINDS.values())[number % 3 if number < 6 else 0]))
        elif what == "fill" and held is not None:
            held.filled = min(held.quantity, add(held.filled, Decimal("2.5")))
            working.keep(held)
        elif what == "amend" and held is not None:
            held.quantity, held.limit_price = add(held.quantity, Decimal(3)), Decimal("8.75")
            working.keep(held)
        elif what == "drop" and held is not None:
            working.drop(held)
        elif what == "mark":
            marks[ACME.id] = Mark(marks[ACME.id].price + 0.25, 0)
        elif what == "recount":
            working.recount()
        elif what == "read":
            check()
    check()
    for held in list(working.values()):
        working.drop(held)
    check()
    assert working.reserved(reserve, marks) == ZERO
