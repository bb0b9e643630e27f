"""Lots by every method, terms by the day, and wash sales: exact, against brute force, and the same in the whole."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.lots import Closing, Lot, Lots, Trade, in_order
from evenkeel.domain.money import COST_STEP
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.domain.taxes import UNTOLD, LotMethod, TaxSetting, TaxStatus, TaxTerms, in_force, term_faults
from evenkeel.domain.washes import Loss, Purchase, wash_sales

D, ONE = Decimal, Decimal(1)
DAY = date(2024, 1, 2)
TERMS = TaxTerms(TaxStatus.TAXABLE, D("0.3"), D("0.15"))
METHODS = tuple(LotMethod)


def day(after: int) -> date:
    return DAY + timedelta(days=after)


def lots_of(method: LotMethod, terms: TaxTerms = TERMS) -> Lots:
    mine = TaxTerms(terms.status, terms.short, terms.long, terms.days, method)
    return Lots(terms=lambda _: mine, closed=[])


def bought(method: LotMethod) -> Lots:
    """Ten each: old and dear, old and cheap, of last month and dearer yet."""
    lots = lots_of(method)
    for after, price, name in ((0, "50", "dear"), (10, "20", "cheap"), (400, "60", "new")):
        lots.trade(Trade(D(10), D(price), D("1"), day(after), name), ONE)
    return lots


@pytest.mark.parametrize(
    ("method", "order"),
    [
        (LotMethod.FIFO, ["dear", "cheap", "new"]),
        (LotMethod.LIFO, ["new", "cheap", "dear"]),
        (LotMethod.HIGHEST_COST, ["new", "dear", "cheap"]),
        (LotMethod.LOWEST_COST, ["cheap", "dear", "new"]),
        (LotMethod.MIN_TAX, ["new", "dear", "cheap"]),
    ],
)
def test_each_method_has_its_own_order(method: LotMethod, order: list[str]) -> None:
    lots = bought(method)
    lots.trade(Trade(D(-25), D(40), D("5"), day(430), "sale"), ONE)
    assert lots.closed is not None
    assert [one.origin for one in lots.closed] == order
    assert [one.quantity for one in lots.closed] == [10, 10, 5]
    assert [one.proceeds for one in lots.closed] == [398, 398, 199]
    assert {one.origin: one.is_long_term for one in lots.closed} == {"dear": True, "cheap": True, "new": False}
    assert lots.closed[0].gain == D(398) - {"dear": 501, "cheap": 201, "new": 601}[order[0]]


def test_a_short_loss_is_worth_more_than_a_greater_long_one() -> None:
    """At 30 and 15 per cent: 20 a unit short saves 6, 30 a unit long saves 4.50."""
    lots = lots_of(LotMethod.MIN_TAX)
    for after, price, name in ((0, "70", "long"), (400, "60", "short")):
        lots.trade(Trade(D(1), D(price), day=day(after), origin=name), ONE)
    lots.trade(Trade(D(-1), D(40), day=day(420)), ONE)
    assert lots.closed is not None
    assert (lots.closed[0].origin, lots.held[0].origin) == ("short", "long")


def test_where_nothing_is_taxed_the_oldest_goes_first() -> None:
    lots = lots_of(LotMethod.MIN_TAX, TaxTerms(TaxStatus.DEFERRED))
    for price in ("10", "30", "20"):
        lots.trade(Trade(D(1), D(price), origin=price), ONE)
    lots.trade(Trade(D(-1), D(25)), ONE)
    assert [lot.origin for lot in lots.held] == ["30", "20"]


def test_long_term_begins_after_the_days_and_never_for_a_short() -> None:
    assert [Lot(ONE, ONE, opened=DAY).is_long_term(day(after), UNTOLD) for after in (365, 366)] == [False, True]
    assert not Lot(-ONE, -ONE, opened=DAY).is_long_term(day(1000), UNTOLD)


def test_a_short_gains_what_it_brought_less_what_it_cost() -> None:
    lots = lots_of(LotMethod.FIFO)
    lots.trade(Trade(D(-10), D(50), D(2), DAY), ONE)
    assert lots.basis == -498
    lots.trade(Trade(D(15), D(40), D(3), day(5)), ONE)
    assert lots.closed is not None
    assert [(one.gain, one.basis, one.proceeds) for one in lots.closed] == [(D(96), D(-498), D(-402))]
    assert [(lot.quantity, lot.basis) for lot in lots.held] == [(D(5), D(201))]


def test_a_split_keeps_days_and_cost_and_a_fraction_is_a_sale() -> None:
    lots = lots_of(LotMethod.LIFO)
    lots.trade(Trade(D(3), D(10), D("0.3"), DAY, "one"), ONE)
    lots.split(ONE, D(2), quantity=ONE, cash=D(9), day=day(400))
    assert lots.closed is not None
    assert [(one.quantity, one.basis, one.gain, one.is_long_term) for one in lots.closed] == [
        (D("0.5"), D("10.1"), D("-1.1"), True)
    ]
    assert [(lot.quantity, lot.basis, lot.opened) for lot in lots.held] == [(ONE, D("20.2"), DAY)]
    lots.split(ONE, ONE, quantity=ONE, cash=D("0.01"), day=day(401))
    assert lots.closed[-1].gain == D("0.01")


prices = st.integers(1, 10_000).map(lambda cents: D(cents).scaleb(-2))
quantities = st.integers(-300, 300).filter(bool).map(D)
fees = st.integers(0, 500).map(lambda cents: D(cents).scaleb(-2))
steps = st.lists(st.tuples(quantities, prices, fees, st.integers(0, 200)), min_size=1, max_size=25)


@settings(deadline=None)
@given(steps, prices, st.sampled_from([ONE, D(50), D("0.01")]))
def test_all_methods_come_to_the_position_and_to_the_same_when_all_is_sold(
    moves: Sequence[tuple[Decimal, Decimal, Decimal, int]], last: Decimal, multiplier: Decimal
) -> None:
    whole = set()
    for method in METHODS:
        lots, position, paid, now = lots_of(method), Position(key=PositionKey("a", "b", "i")), D(0), 0
        for quantity, price, fee, later in moves:
            now += later
            lots.trade(Trade(quantity, price, fee, day(now)), multiplier)
            position.book(quantity, price, multiplier)
            paid += fee
            assert lots.closed is not None
            assert lots.quantity == position.quantity
            assert sum(lot.charges for lot in lots.held) <= paid
            made = sum((one.gain for one in lots.closed), D(0))
            assert made - lots.basis == position.realised - position.total_cost - paid
            assert lots.realised - lots.cost == position.realised - position.total_cost
        tried, held = lots.copy(), [(lot.quantity, lot.basis) for lot in lots.held]
        if lots.quantity:
            tried.trade(Trade(-lots.quantity, last, ONE, day(now)), multiplier)
        assert [(lot.quantity, lot.basis) for lot in lots.held] == held, "a copy is another"
        assert tried.quantity == 0
        assert tried.closed is not None
        assert lots.closed is not None
        whole.add(sum((one.gain for one in (*lots.closed, *tried.closed)), D(0)))
    assert len(whole) == 1


units = st.lists(st.tuples(prices, st.integers(0, 800)), min_size=1, max_size=7)
rates = st.integers(0, 100).map(lambda share: D(share).scaleb(-2))


@given(units, st.integers(1, 7), prices, rates, rates, st.booleans())
def test_no_choice_of_as_many_units_has_less_tax(
    held: list[tuple[Decimal, int]], count: int, price: Decimal, short: Decimal, long: Decimal, is_short: bool
) -> None:
    """Lots of one unit: brute force over every subset."""
    terms = TaxTerms(TaxStatus.TAXABLE, short, long, 365, LotMethod.MIN_TAX)
    sign, now, count = (-1 if is_short else 1), day(800), min(count, len(held))
    lots = Lots(terms=lambda _: terms, closed=[])
    for cost, after in sorted(held, key=lambda one: one[1]):
        lots.trade(Trade(D(sign), cost, day=day(after)), ONE)

    def tax(lot: Lot) -> Decimal:
        gain = (price - lot.basis) if sign > 0 else (-lot.basis - price)
        return gain * (long if lot.is_long_term(now, terms) else short)

    least = min(sum(map(tax, chosen), D(0)) for chosen in combinations(tuple(lots.held), count))
    lots.trade(Trade(D(-sign * count), price, day=now), ONE)
    assert lots.closed is not None
    paid = sum((one.gain * terms.rate(long=one.is_long_term) for one in lots.closed), D(0))
    assert abs(paid - least) <= COST_STEP * count


@given(st.lists(st.tuples(st.integers(1, 50), prices, st.integers(0, 800)), min_size=2, max_size=6), prices)
def test_orders_are_by_their_key_and_the_oldest_first_among_equals(
    held: list[tuple[int, Decimal, int]], price: Decimal
) -> None:
    own = [Lot(D(count), D(count) * cost, opened=day(after)) for count, cost, after in held]
    sale = Trade(D(-1), price, day=day(800))
    for method, sign in ((LotMethod.HIGHEST_COST, -1), (LotMethod.LOWEST_COST, 1)):
        order = list(in_order(own, sale, ONE, terms=TaxTerms(method=method)))
        keys = [(sign * lot.basis / lot.quantity, own.index(lot)) for lot in order]
        assert all(
            one[0] < two[0] or one[1] < two[1] or abs(one[0] - two[0]) < D("1e-9") for one, two in pairwise(keys)
        )
    assert list(in_order(own, sale, ONE, terms=TaxTerms())) == own
    assert list(in_order(own, sale, ONE, terms=TaxTerms(method=LotMethod.LIFO))) == own[::-1]


def test_terms_hold_from_their_day_on() -> None:
    first, later = TaxSetting("a", "u", DAY, UNTOLD), TaxSetting("a", "u", day(10), TERMS)
    assert [in_force((first, later), day(after)) for after in (-1, 0, 9, 10, 900)] == [
        None, UNTOLD, UNTOLD, TERMS, TERMS,
    ]  # fmt: skip
    assert in_force((), DAY) is None
    assert TERMS.rate(long=True) == D("0.15")
    assert TaxTerms(TaxStatus.FREE, D("0.5")).rate(long=False) == 0


def test_terms_that_make_no_sense_are_told_by_field() -> None:
    odd = TaxTerms(TaxStatus.DEFERRED, D("1.5"), D("0.1234567"), -1)
    assert [one.field for one in term_faults(odd)] == ["short", "long", "status", "days"]
    assert [one.field for one in term_faults(TaxTerms(short=D("NaN")))] == ["short"]
    assert term_faults(TERMS) == []


def loss(quantity: str, after: int, *, origin: str = "old", account: str = "a", amount: str = "100") -> Loss:
    return Loss(account, Closing(D(quantity), D(amount), D(0), DAY, day(after), origin=origin))


@pytest.mark.parametrize(
    ("bought_at", "account", "origin", "at_risk"),
    [
        (70, "a", "new", "50"), (130, "a", "new", "50"), (69, "a", "new", None), (131, "a", "new", None),
        (100, "b", "other", "50"), (100, "b", "old", "50"), (100, "a", "old", None),
    ],
)  # fmt: skip
def test_a_purchase_within_the_days_puts_a_loss_at_risk(
    bought_at: int, account: str, origin: str, at_risk: str | None
) -> None:
    found = wash_sales([loss("10", 100)], [Purchase(account, day(bought_at), D(5), origin)], days=30)
    assert [one.at_risk for one in found] == ([] if at_risk is None else [D(at_risk)])
    assert [one.amount for one in found] == ([] if at_risk is None else [D(100)])


def test_each_unit_bought_stands_for_one_unit_sold() -> None:
    purchases = [Purchase("a", day(100), D(6), "new"), Purchase("b", day(95), D(8), "other")]
    found = wash_sales([loss("10", 99), loss("10", 98, amount="200")], purchases, days=30)
    assert [(one.amount, one.at_risk) for one in found] == [(D(200), D(200)), (D(100), D(40))]
    assert [[one.account_id for one in wash.purchases] for wash in found] == [["b", "a"], ["a"]]
    assert wash_sales([loss("10", 99)], [], days=30) == []
