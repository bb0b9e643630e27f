"""The value of all positions is what a walk over them gives, whatever has been traded and however prices have moved."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.money import ZERO, exact, mul, total
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.trading.engine.holdings import Holdings, Mark, Marks

ONE = Decimal(1)
TICKS = {"X": "0.01", "Y": "0.125", "Z": "1"}
steps = st.lists(
    st.tuples(
        st.sampled_from(["trade", "mark", "read", "recount", "forget"]),
        st.sampled_from("XYZ"),
        st.sampled_from("ab"),
        st.integers(-9, 9).filter(bool),
    ),
    max_size=60,
)


@given(steps)
def test_the_value_equals_a_walk(steps: list[tuple[str, str, str, int]]) -> None:
    holdings, marks = Holdings(), Marks()

    def value_of(position: Position) -> Decimal:
        mark = marks.get(position.key.instrument_id)
        price = (
            exact(mark.price, Decimal(TICKS[position.key.instrument_id]))
            if mark is not None
            else position.average_price or ZERO
        )
        return mul(position.quantity, price)

    def check() -> None:
        walked = total([value_of(one) for one in holdings.values() if one.quantity])
        assert str(holdings.value(marks, value_of)) == str(walked), "to the same decimal places, too"

    for what, instrument_id, book, number in steps:
        key = PositionKey("A", book, instrument_id)
        if what == "trade":
            if key not in holdings:
                holdings[key] = Position(key=key)
            holdings[key].book(Decimal(number), Decimal(10 + abs(number)), ONE)
            holdings.touch(instrument_id)
        elif what == "mark":
            marks[instrument_id] = Mark(20.0 + number / 8, 1)
        elif what == "recount":
            holdings.recount()
        elif what == "forget":
            marks.clear()
        else:
            check()
    check()


def test_caches_do_not_make_states_differ() -> None:
    key = PositionKey("A", "manual", "X")
    one, other = Holdings(), Holdings()
    for held in (one, other):
        held[key] = Position(key=key, quantity=ONE)
    one.value(Marks(X=Mark(1.0, 1)), lambda position: position.quantity)
    assert one == other
    assert repr(one) == repr(other)
