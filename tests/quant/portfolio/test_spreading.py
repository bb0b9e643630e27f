"""Weights over several accounts: the least tax of all ways there are, by brute force; money stays where it is."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio.spreading import Spread, Task, Tranche, spread

Lots = dict[tuple[int, int], list[Tranche]]


def task(held: list[list[float]], wanted: list[float], cash: list[float], lots: Lots | None = None) -> Task:
    rows = np.array(held, np.float64)
    free = np.array(cash, np.float64)
    return Task(rows, np.array(wanted, np.float64), np.ones(rows.shape, np.bool_), free, free, dict(lots or {}))


def tax_of(lots: list[Tranche], sold: float) -> float:
    tax = 0.0
    for one in lots:
        part = min(one.value, sold)
        tax, sold = tax + part * one.tax, sold - part
    return tax


def check(given: Task, found: Spread) -> None:
    """Only bought or only sold, and each account within its money."""
    moved = found.after - given.held
    for column in moved.T:
        assert not (np.any(column > 1e-6) and np.any(column < -1e-6))
    assert np.all(found.after >= -1e-9)
    assert np.all((moved.sum(axis=1) <= given.cash + 1e-3) | np.all(moved <= 1e-3, axis=1))


def test_the_account_without_tax_sells() -> None:
    lots = {(0, 0): [Tranche(100.0, 0.1)], (1, 0): [Tranche(100.0, 0.0)]}
    found = spread(task([[100.0, 0.0], [100.0, 0.0]], [120.0, 80.0], [0.0, 0.0], lots))
    assert found.after.tolist() == [[100.0, 0.0], [20.0, 80.0]]
    assert (found.tax, found.off) == (0.0, 0.0)


def test_a_loss_goes_before_what_is_free_of_tax() -> None:
    lots = {(0, 0): [Tranche(50.0, -0.2), Tranche(50.0, 0.1)], (1, 0): [Tranche(100.0, 0.0)]}
    found = spread(task([[100.0], [100.0]], [100.0], [0.0, 0.0], lots))
    assert found.after.tolist() == [[50.0], [50.0]]
    assert found.tax == pytest.approx(-10.0)


def test_a_loss_behind_a_gain_is_not_reached_by_the_oldest_first() -> None:
    """The gain comes first: 20 of tax for a loss worth 10 is no bargain, for one worth 30 it is."""
    for worth, after in ((0.1, [200.0, 0.0]), (0.3, [0.0, 200.0])):
        lots = {(0, 0): [Tranche(100.0, 0.2), Tranche(100.0, -worth)], (1, 0): [Tranche(200.0, 0.0)]}
        found = spread(task([[200.0], [200.0]], [200.0], [0.0, 0.0], lots))
        assert found.after[:, 0].tolist() == pytest.approx(after)


def test_purchases_are_where_the_money_is() -> None:
    found = spread(task([[0.0, 60.0], [0.0, 0.0]], [90.0, 10.0], [10.0, 30.0]))
    assert found.after == pytest.approx(np.array([[60.0, 10.0], [30.0, 0.0]]))


def test_what_pays_much_goes_where_it_is_not_taxed() -> None:
    given = task([[0.0, 0.0], [0.0, 0.0]], [100.0, 100.0], [100.0, 100.0])
    dragged = Task(
        given.held, given.wanted, given.may, given.cash, given.free, drag=np.array([[0.01, 0.02], [0.0, 0.0]])
    )
    assert spread(dragged).after.tolist() == [[100.0, 0.0], [0.0, 100.0]]


def test_what_cannot_be_reached_is_told() -> None:
    given = task([[0.0], [50.0]], [100.0], [10.0, 0.0])
    found = spread(given)
    assert (found.after.tolist(), found.off) == ([[10.0], [50.0]], pytest.approx(40.0))
    closed = Task(given.held, given.wanted, np.array([[False], [True]]), given.cash, given.free)
    assert spread(closed).after.tolist() == given.held.tolist()
    slack = Task(given.held, given.wanted, given.may, given.cash, given.free, slack=0.25)
    assert spread(slack).after.tolist() == [[8.0], [50.0]]


def test_who_lacks_money_sells_it_first() -> None:
    found = spread(task([[60.0, 0.0], [0.0, 0.0]], [0.0, 100.0], [-20.0, 10.0]))
    assert found.after == pytest.approx(np.array([[0.0, 40.0], [0.0, 10.0]]))
    assert spread(task([[10.0, 0.0]], [0.0, 100.0], [-20.0])).after.tolist() == [[0.0, 0.0]]


def test_many_lots_are_taken_together() -> None:
    lots = {(0, 0): [Tranche(1.0, 0.3 - place / 1000) for place in range(300)]}
    found = spread(task([[300.0], [300.0]], [450.0], [0.0, 0.0], lots))
    assert found.after.tolist() == [[300.0], [150.0]]


shares = st.integers(-8, 8).map(lambda eighth: eighth / 8)
tranches = st.lists(st.tuples(st.integers(1, 3), shares), max_size=3)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(tranches, min_size=4, max_size=4),
    st.lists(st.integers(0, 6), min_size=2, max_size=2),
    st.lists(st.integers(-2, 3), min_size=2, max_size=2),
)
def test_no_other_way_has_less_tax(each: list[list[tuple[int, float]]], wanted: list[int], cash: list[int]) -> None:
    """Two accounts, two instruments, whole units of money: every way is tried."""
    lots = {divmod(place, 2): [Tranche(float(value), tax) for value, tax in own] for place, own in enumerate(each)}
    held = np.array([[sum(one.value for one in lots[row, column]) for column in (0, 1)] for row in (0, 1)])
    given_ = task(held.tolist(), [float(one) for one in wanted], [float(one) for one in cash], lots)
    found = spread(given_)
    check(given_, found)
    off, tax = best(given_, lots, held)
    assert found.off == pytest.approx(off, abs=1e-4)
    assert found.tax == pytest.approx(tax, abs=1e-4)
    sold = sum(tax_of(lots[place], float(max(0.0, given_.held[place] - found.after[place]))) for place in lots)
    assert sold == pytest.approx(tax, abs=1e-4), "the tax is that of lots in their order"


def best(given_: Task, lots: Lots, held: Floats) -> tuple[float, float]:
    """The least that the whole stays off, and the least tax among all ways that come so near."""
    ranges = []
    for place in product((0, 1), (0, 1)):
        short = int(given_.wanted[place[1]] - held[:, place[1]].sum())
        ranges.append(range(short + 1) if short >= 0 else range(-int(held[place]), 1))
    found = []
    for moves in product(*ranges):
        moved = np.array(moves, np.float64).reshape(2, 2)
        if np.all((moved.sum(axis=1) <= given_.cash) | np.all(moved <= 0.0, axis=1)):
            off = float(np.abs((held + moved).sum(axis=0) - given_.wanted).sum())
            tax = sum(tax_of(lots[place], max(0.0, -float(moved[place]))) for place in lots)
            found.append((off, tax))
    return min(found)
