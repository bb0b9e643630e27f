"""Growth is what the account made, chained over what was paid in and out; a payment alone changes nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.trading.engine.growth import Growth

D = Decimal
FACTORS = st.decimals("0.5", "2", places=3)
SHARES = st.decimals("-0.99", "3", places=2)


def test_it_begins_at_one_with_the_first_money() -> None:
    growth = Growth()
    assert (growth.at(D(0)), growth.drawdown(D(0))) == (1.0, 0.0)
    growth.paid(D(100), D(0))
    assert (growth.at(D(110)), growth.at(D(90)), growth.drawdown(D(90))) == (1.1, 0.9, pytest.approx(0.1))


def test_what_is_paid_in_late_does_not_water_down_what_was_made_before() -> None:
    growth = Growth()
    growth.paid(D(100), D(0))
    growth.paid(D(880), D(120))  # 20 % on the first hundred
    assert growth.at(D(1000)) == pytest.approx(1.2)
    assert growth.at(D(900)) == pytest.approx(1.08)
    assert growth.drawdown(D(900)) == pytest.approx(0.1)


@given(st.lists(st.tuples(FACTORS, SHARES), max_size=20))
def test_periods_are_chained_and_a_payment_changes_nothing(steps: list[tuple[Decimal, Decimal]]) -> None:
    growth, equity, made, highest = Growth(), D(1000), 1.0, 1.0
    growth.paid(equity, D(0))
    for factor, share in steps:
        before, equity = equity, round(equity * factor, 8)
        if equity < 1:  # of so little the rounding is no small part
            return
        made *= float(equity / before)
        highest = max(highest, made)
        fallen = growth.drawdown(equity)
        assert growth.at(equity) == pytest.approx(made, rel=1e-6)
        amount = round(equity * share, 2)
        growth.paid(amount, equity)
        equity += amount
        assert growth.at(equity) == pytest.approx(made, rel=1e-6)
        assert growth.drawdown(equity) == pytest.approx(fallen, abs=1e-12)
        assert growth.drawdown(equity) == pytest.approx(1 - made / highest, abs=1e-6)


def test_an_emptied_account_keeps_its_record_and_a_lost_one_its_loss() -> None:
    growth = Growth()
    growth.paid(D(100), D(0))
    growth.paid(D(-150), D(150))
    assert (growth.at(D(0)), growth.drawdown(D(0))) == (1.5, 0.0)
    growth.paid(D(50), D(0))
    assert growth.at(D(55)) == pytest.approx(1.65)
    growth.paid(D(500), D(-20))
    assert (growth.at(D(480)), growth.at(D(960)), growth.drawdown(D(960))) == (0.0, 0.0, 1.0)
