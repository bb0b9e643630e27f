"""The end of a portfolio's day: its worth, its returns and ratios, and the round trips it has closed."""

from decimal import Decimal

import numpy as np
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.portfolios import Place, PortfolioDayClosed
from evenkeel.market.days import bars_a_year
from evenkeel.quant.analytics import ratios, risk
from tests.trading.engine.portfolios.funds import adopt, fund, transfer, world
from tests.trading.engine.world import ACME, BOLT, WHO, World, assert_sound, fold

D = Decimal


def lived(made: World, prices: list[float]) -> list[PortfolioDayClosed]:
    for day, price in enumerate(prices, 1):
        made.price(ACME, price, day)
    return made.of(PortfolioDayClosed)


def test_a_day_says_what_it_is_worth_and_how_it_has_done() -> None:
    made = world()
    fund(made, cash=D(1000))
    made.holding("50", "10", book="fund")
    days = lived(made, [11.0, 10.0, 12.0, 12.0])
    assert [(day.value, day.cash, day.contributed) for day in days] == [
        (D(1000), D(500), D(1000)),
        (D(1050), D(500), D(1000)),
        (D(1000), D(500), D(1000)),
        (D(1100), D(500), D(1000)),
    ]
    assert [day.session_date.day for day in days] == [4, 5, 6, 7]
    assert days[-1].holdings == {ACME.id: D(600)}
    returns = np.diff([1.0, *(day.growth for day in days)]) / np.array([1.0, *(day.growth for day in days[:-1])])
    assert days[-1].growth == pytest.approx(1.1)
    assert days[2].drawdown == pytest.approx(50 / 1050)
    periods = bars_a_year("1d", ACME.calendar)
    assert days[-1].periods == periods
    assert days[-1].volatility == pytest.approx(risk.volatility(returns, periods=periods))
    assert days[-1].sharpe == pytest.approx(ratios.sharpe(returns, periods=periods))
    assert days[-1].sortino == pytest.approx(ratios.sortino(returns, periods=periods))
    assert (days[0].volatility, days[0].sharpe, days[0].sortino) == (None, None, None)
    assert_sound(made)


def test_what_is_paid_in_and_out_is_no_return() -> None:
    made = world()
    fund(made, cash=D(1000))
    made.holding("100", "10", book="fund")
    made.price(ACME, 11.0, 1)
    made.step(transfer(Place("A"), Place("A", "fund"), "9000"))
    made.price(ACME, 12.0, 2)
    made.price(ACME, 12.0, 3)
    last = made.of(PortfolioDayClosed)[-1]
    assert last.value == D(10200)
    assert last.growth == pytest.approx(1.1 * 10200 / 10100)


def test_its_day_is_that_of_its_first_account() -> None:
    made = world()
    fund(made, "fund", "B", "A", cash=D(1000))
    made.price(ACME, 10.0, 1)
    assert len(made.of(PortfolioDayClosed)) == 1
    (day,) = made.of(PortfolioDayClosed)
    assert (day.value, day.periods) == (D(1000), 365.0)


def test_round_trips_are_counted_from_flat_to_flat() -> None:
    made = world()
    held = fund(made, cash=D(10000))
    made.holding("100", "10", book="fund")
    made.holding("-40", "9", book="fund")
    assert (held.trades, held.wins) == (0, 0)
    made.holding("-60", "12", book="fund")
    assert (held.trades, held.wins) == (1, 1)
    made.holding("-10", "12", book="fund")
    made.holding("20", "13", book="fund")
    assert (held.trades, held.wins) == (2, 1)
    made.holding("10", "10", book="manual")
    made.holding("-10", "11", book="manual")
    assert (held.trades, held.wins) == (2, 1)
    lived(made, [10.0])
    (day,) = made.of(PortfolioDayClosed)
    assert (day.trades, day.wins) == (2, 1)


def test_of_an_adopted_book_only_what_follows_counts() -> None:
    made = world()
    made.deploy(("A", "0.5"), of=(ACME, BOLT))
    made.holding("100", "10", book="trend")
    made.holding("-100", "50", book="trend")
    made.holding("100", "10", book="trend")
    held = fund(made, cash=D(10000))
    made.step(adopt())
    made.holding("-100", "9", book="trend")
    assert (held.trades, held.wins) == (1, 0)


def test_an_archived_one_has_no_more_days_and_a_restart_knows_them_all() -> None:
    made = world()
    fund(made, cash=D(1000))
    lived(made, [10.0, 10.0])
    made.step(transfer(Place("A", "fund"), Place("A"), "1000"))
    made.step(c.ArchivePortfolio(provenance=WHO, portfolio_id="fund"))
    assert len(lived(made, [10.0, 10.0, 10.0, 10.0])) == 2
    assert fold(made.records).portfolios == made.state.portfolios
