"""Several portfolios together: totals by currency, and correlations over the days they have in common."""

from decimal import Decimal

import numpy as np
import pytest

from evenkeel.desk.portfolios.together import Totals, correlation_matrix, totals
from evenkeel.desk.risk.books import books_of_portfolio
from evenkeel.domain import commands as c
from evenkeel.domain.portfolios import Place
from tests.trading.engine.portfolios.funds import adopt, fund, transfer, world
from tests.trading.engine.world import ACME, BOLT, WHO

D = Decimal


def test_totals_are_by_currency_and_may_be_of_one_account() -> None:
    made = world()
    fund(made, "one", "A", "B", cash=D(1000))
    fund(made, "two", "B", cash=D(250))
    fund(made, "gone", "A")
    made.step(transfer(Place("A", "one"), Place("B", "one"), "400"))
    made.holding("10", "10", book="one")
    made.step(c.ArchivePortfolio(provenance=WHO, portfolio_id="gone"))
    held = made.state.portfolios.values()
    assert totals(made.state, held) == [Totals("USD", D(1250), D(1150), 2, 1)]
    assert totals(made.state, held, account_id="A") == [Totals("USD", D(600), D(500), 1, 1)]
    assert totals(made.state, held, account_id="B") == [Totals("USD", D(650), D(650), 2, 0)]
    assert totals(made.state, []) == []


def test_correlations_are_of_common_days() -> None:
    made = world()
    one = fund(made, "one", "A", cash=D(1000))
    two = fund(made, "two", "A", cash=D(1000))
    idle = fund(made, "idle", "A", cash=D(1000))
    new = fund(made, "new", "B")
    made.holding("50", "10", book="one")
    made.holding("25", "20", book="two", instrument_id=BOLT.id)
    for day, (first, second) in enumerate(((11.0, 19.0), (10.0, 21.0), (12.0, 18.0), (12.5, 17.0), (11.0, 22.0)), 1):
        made.price(BOLT, second, day)
        made.price(ACME, first, day)
    new.days.clear()
    found = correlation_matrix([one, two, idle, new], days=100)
    assert (found.ids, found.days) == (("one", "two", "idle"), len(one.days) - 1)
    expected = np.corrcoef(one.returns[1:], two.returns[1:])[0, 1]
    assert found.rows[0, 1] == pytest.approx(expected)
    assert expected < -0.5
    assert np.isnan(found.rows[2]).all()
    assert correlation_matrix([], days=5).ids == ()


def test_risk_reads_all_of_its_books() -> None:
    made = world()
    made.deploy(("A", "0.5"))
    fund(made, "one", "A", "B", cash=D(1000))
    made.holding("10", "10", book="one")
    made.holding("5", "10", book="trend")
    made.holding("7", "10", book="manual")
    made.step(adopt("one"))
    (book,) = books_of_portfolio(made.state, "one")
    assert (book.currency, book.capital, book.accounts) == ("USD", D(1000), ("A", "B"))
    assert [(one.instrument.id, one.quantity, one.value) for one in book.holdings] == [(ACME.id, D(15), D(150))]
