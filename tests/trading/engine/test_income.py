"""What holding earns and costs: dividends on the ex-date, nights at the end of the account's day."""

from datetime import date

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, Financing, LedgerKind
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import Dividend, MarketSlice, Split
from evenkeel.quant.costs.carrying import borrow_fee, financing
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, assert_sound, at, bar, fold

RATES = Financing(debit=0.07, credit=0.01, borrow=0.03)


def paying(rates: Financing | None = RATES, cash: str = "1000") -> World:
    world = World()
    world.account(cash=cash, financing=rates)
    world.price(ACME, 10.0)
    world.price(BOLT, 4.0)
    return world


def dividend(amount: str = "0.35", day: int = 1) -> MarketSlice:
    return MarketSlice(at(day), dividends=(Dividend(ACME.id, date(2024, 3, 4 + day), D(amount)),))


def test_a_long_receives_and_a_short_owes() -> None:
    world = paying(rates=None)
    world.account("B", "1000")
    world.holding("10", "10")
    world.holding("-4", "10", account_id="B", book="swing")
    world.step(dividend())
    (paid,) = world.of(r.DividendPaid)
    assert [(e.account_id, e.book, e.kind, e.amount) for e in paid.entries] == [
        ("A", "manual", LedgerKind.DIVIDEND, D("3.50")),
        ("B", "swing", LedgerKind.DIVIDEND, D("-1.40")),
    ]
    assert world.alerts() == ["dividend"]
    assert_sound(world)


def test_a_dividend_is_paid_once_and_on_what_was_held_before() -> None:
    world = paying(rates=None)
    world.step(dividend())
    world.holding("10", "10")
    world.step(dividend())
    assert len(world.of(r.DividendPaid)) == 1
    assert world.state.accounts["A"].cash["USD"] == D(900)
    assert fold(world.records).dividends_paid == world.state.dividends_paid


def test_a_dividend_comes_before_the_split_of_its_day() -> None:
    world = paying(rates=None)
    world.holding("10", "10")
    both = msgspec.structs.replace(dividend("1"), splits=(Split(ACME.id, date(2024, 3, 5), D(2), D(1)),))
    world.step(both)
    assert (world.state.accounts["A"].cash["USD"], world.position()) == (D(910), D(20))


@pytest.mark.parametrize("amount", ["0", "-1", "NaN"])
def test_a_dividend_that_makes_no_sense_is_said(amount: str) -> None:
    world = paying(rates=None)
    world.holding("10", "10")
    world.step(dividend(amount))
    assert world.alerts() == ["dividend-refused"]
    assert world.state.accounts["A"].cash["USD"] == D(900)


def test_a_night_costs_interest_on_debt_and_a_fee_for_shorts() -> None:
    world = paying()
    world.holding("500", "10")
    world.holding("-100", "4", instrument_id=BOLT.id, book="swing")
    cash = world.state.accounts["A"].cash["USD"]
    world.price(ACME, 11.0, 1)
    (charged,) = world.of(r.NightsCharged)
    assert charged.nights == 1
    free = float(cash) - 400.0  # what the short sale brought in lies with the lender
    expected = {
        ("manual", LedgerKind.INTEREST): financing(free, 0.07, 0.01, 1.0, 365.0),
        ("swing", LedgerKind.BORROW): borrow_fee(-400.0, 0.03, 1.0, 365.0),
    }
    booked = {(e.book, e.kind): float(e.amount) for e in charged.entries}
    assert booked == pytest.approx(expected, abs=1e-8)
    assert charged.entries[1].component == BOLT.id
    assert_sound(world)


def test_the_interest_of_a_night_belongs_to_the_day_that_ends_with_it() -> None:
    world = paying(Financing(credit=0.0365), cash="100000")
    world.price(ACME, 10.0, 1)
    (closed,) = world.of(r.DayClosed)
    assert closed.cash == D("100010.00000000")
    assert world.of(r.NightsCharged)[0].entries[0].value_date == closed.session_date


def test_a_weekend_has_three_nights_and_does_not_compound_within_it() -> None:
    world = paying(Financing(credit=0.0365), cash="100000")
    world.price(ACME, 10.0, 4)
    world.price(ACME, 10.0, 7)
    assert [record.nights for record in world.of(r.NightsCharged)] == [4, 3]
    assert world.state.accounts["A"].cash["USD"] == D("100000") + D("40") + D("30.012")


def test_what_is_bought_at_the_very_end_of_a_day_is_held_over_that_night() -> None:
    """A bar that closes at the roll: the day ends with it, the night is charged at the next."""
    world = paying()
    account = world.state.accounts["A"]
    end = account.day_end
    world.step(MarketSlice(end, bars=(bar(ACME, 0, 10.0),)))
    assert (len(world.of(r.DayClosed)), world.of(r.NightsCharged)) == (1, [])
    world.holding("500", "10")
    world.step(MarketSlice(end + 60_000_000_000, bars=()))
    (charged,) = world.of(r.NightsCharged)
    assert (charged.nights, len(world.of(r.DayClosed))) == (1, 1)
    assert charged.entries[0].amount < 0
    assert_sound(world)


def test_the_clock_alone_charges_before_what_happens_next() -> None:
    world = paying(Financing(credit=0.0365), cash="100000")
    world.now = at(1)
    world.submit(quantity="1")
    assert [type(one) for one in world.records[-3:]] == [r.NightsCharged, r.DayClosed, r.OrderDecided]


def test_who_pays_nothing_is_not_charged() -> None:
    world = paying(rates=None)
    world.holding("500", "10")
    world.price(ACME, 11.0, 1)
    assert not world.of(r.NightsCharged)


def test_rates_that_make_no_sense_are_named() -> None:
    world = World()
    account = Account("Z", "u", "Z", "sim", "USD", limits=OPEN, financing=Financing(debit=-2.0))
    error = world.declined(c.OpenAccount(provenance=WHO, account=account, initial_cash=D(0)))
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.errors] == ["financing.debit"]
