"""What a scope holds, and its figures: by hand, and said plainly where there is too little to go by."""

from datetime import timedelta
from decimal import Decimal
from math import sqrt

import msgspec
import numpy as np
import pytest

from evenkeel.desk.risk.books import Book, books_of, books_of_strategy
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.figures import Figures, Question, figures
from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, AccountType
from evenkeel.domain.clock import to_ns
from evenkeel.domain.events import BrokerSnapshot
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Bar
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.market.bars import Bars
from evenkeel.market.columns import DAY
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.quant.risk import Tail
from tests.trading.engine.world import ACME, BOLT, OPEN, START, WHO, World, at

D = Decimal
NOW = at(0)


def history(of: Instrument, returns: list[float], last: float = 10.0) -> Bars:
    """Daily bars that end at `last` on the day before the world's, with these returns between them."""
    prices = last / np.cumprod(1.0 + np.array([0.0, *returns[::-1]]))[:].astype(float)
    first = to_ns((START - timedelta(days=len(prices))).replace(hour=0))
    days = [
        Bar(of.id, first + n * DAY, first + (n + 1) * DAY, p, p, p, p, 1.0) for n, p in enumerate(prices[::-1].tolist())
    ]
    return Bars.from_bars("1d", days)


def noise(count: int = 250, seed: int = 3) -> list[float]:
    found: list[float] = (np.random.default_rng(seed).standard_normal(count) * 0.01).tolist()
    return found


def world() -> World:
    """Two accounts of 100,000; A holds 1,000 ACME at 10 by hand and −500 BOLT at 20 of a strategy, B −200 ACME."""
    made = World()
    for name in ("A", "B"):
        made.account(name)
    made.price(ACME, 10.0)
    made.price(BOLT, 20.0)
    made.step(c.Deploy(provenance=WHO, deployment=DEPLOYMENT))
    made.holding("1000")
    made.holding("-500", "20", instrument_id=BOLT.id, book="trend")
    made.holding("-200", account_id="B")
    return made


DEPLOYMENT = Deployment(
    id="trend", name="Trend", template="t", version="1", parameters={}, instrument_ids=(BOLT.id,),
    accounts=(Allocation("A", D("0.2")), Allocation("B", D("0.1"))),
)  # fmt: skip


def test_an_account_is_netted_by_instrument() -> None:
    made = world()
    (book,) = books_of(made.state, [made.state.accounts["A"]])
    assert book.currency == "USD"
    assert [(one.instrument.symbol, one.quantity, one.value) for one in book.holdings] == [
        ("ACME", D(1000), D(10_000)), ("BOLT", D(-500), D(-10_000)),
    ]  # fmt: skip
    assert book.exposure == (10_000, 10_000, 20_000, 0)
    assert book.capital == made.state.equity(made.state.accounts["A"])


def test_accounts_together_net_their_prices_but_not_their_exposure() -> None:
    made = world()
    (book,) = books_of(made.state, made.state.accounts.values())
    assert [(one.instrument.symbol, one.quantity) for one in book.holdings] == [("BOLT", D(-500)), ("ACME", D(800))]
    assert book.exposure == (10_000, 12_000, 22_000, -2_000)
    assert book.capital == 200_000


def test_a_strategy_has_its_own_positions_and_what_it_is_allotted() -> None:
    made = world()
    (book,) = books_of_strategy(made.state, "trend")
    assert [(one.instrument.symbol, one.quantity) for one in book.holdings] == [("BOLT", D(-500))]
    assert (book.capital, book.accounts) == (D(30_000), ("A", "B"))


def test_currencies_are_apart() -> None:
    made = world()
    euro = Account(id="E", user_id="u", name="E", broker="sim", currency="EUR", limits=OPEN, type=AccountType.MARGIN)
    made.step(c.OpenAccount(provenance=WHO, account=euro, initial_cash=D(7)))
    made.step(BrokerSnapshot(account_id="E", complete=True))
    found = books_of(made.state, made.state.accounts.values())
    assert [(one.currency, one.capital) for one in found] == [("USD", D(200_000)), ("EUR", D(7))]


def asked(book: Book, *bars: Bars, tails: tuple[Tail, ...] = (Tail(),), **more: object) -> Figures:
    question = msgspec.structs.replace(Question(NOW, tails), **more)
    return figures(book, DailyCloses(MemoryStore([ACME, BOLT], bars)), question=question)


def test_figures_by_hand() -> None:
    """Long 10,000 of what moves ±1 % and short 10,000 of what moves ±2 % with it: ±100 a day on 100,000."""
    made = world()
    (book,) = books_of(made.state, [made.state.accounts["A"]])
    swings = [0.01, -0.01] * 125
    found = asked(book, history(ACME, swings), history(BOLT, [2 * r for r in swings], 20.0))
    assert (found.lacking, len(found.returns.dates), found.periods) == (None, 250, pytest.approx(365.3))
    together = found.together
    assert together is not None
    assert together.correlations == pytest.approx(np.ones((2, 2)), abs=1e-6)
    gains = found.returns.values @ np.array([10_000.0, -10_000.0])
    assert together.volatility == pytest.approx(gains.std(ddof=1) / 100_000 * sqrt(found.periods))
    assert together.volatility == pytest.approx(0.001 * sqrt(365.3), rel=0.01)
    newest = 0.94  # the last price has not moved yet: that day weighs 0.06
    assert together.ewma_volatility == pytest.approx(0.001 * sqrt(365.3 * newest), rel=0.01)
    assert together.diversification_ratio == pytest.approx(3, rel=1e-3)
    (tail,) = found.tails
    assert tail.risk is not None
    assert tail.risk.var == pytest.approx(100, rel=1e-6)
    assert tail.risk.cvar_parts == pytest.approx([-100, 200], rel=1e-6)


def test_beta_adds_up_by_value() -> None:
    made = world()
    (book,) = books_of(made.state, [made.state.accounts["A"]])
    base = noise()
    found = asked(book, history(ACME, base), history(BOLT, [0.5 * r for r in base], 20.0), benchmark=ACME)
    assert found.against is not None
    assert found.against.betas == pytest.approx([1, 0.5], rel=1e-3)
    assert found.against.beta == pytest.approx((10_000 - 0.5 * 10_000) / 100_000, rel=1e-3)


def test_too_little_history_is_said_and_nothing_made_up() -> None:
    made = world()
    (book,) = books_of(made.state, [made.state.accounts["A"]])
    found = asked(book, history(ACME, noise()), history(BOLT, noise(9), 20.0))
    assert found.lacking == "BOLT has 11 daily closes; at least 31 are needed", "ten stored, and the last price"
    assert (found.together, found.tails[0].risk, found.tails[0].lacking) == (None, None, found.lacking)
    assert found.closes == (251, 11)


def test_days_that_do_not_meet_are_said() -> None:
    made = world()
    (book,) = books_of(made.state, [made.state.accounts["A"]])
    even, odd = history(ACME, noise(100)), history(BOLT, noise(100), 20.0)
    where = np.arange(101) % 2 == 0
    found = asked(book, even.where(where), odd.where(~where))
    assert found.lacking == "only 0 daily returns are common to all; at least 30 are needed"


def test_a_question_may_lack_what_others_have() -> None:
    made = world()
    (book,) = books_of(made.state, [made.state.accounts["B"]])
    tails = (Tail(confidence=0.95), Tail(confidence=0.99), Tail(confidence=0.99, method="normal"))
    found = asked(book, history(ACME, noise(60)), tails=tails, benchmark=BOLT)
    assert [one.lacking for one in found.tails] == [None, "61 daily returns; this needs 100", None]
    assert found.against is not None
    assert found.against.lacking == "BOLT has 0 daily returns in common with it; 30 are needed"


def test_a_window_is_what_was_asked() -> None:
    made = world()
    (book,) = books_of(made.state, [made.state.accounts["B"]])
    assert len(asked(book, history(ACME, noise()), days=60).returns.dates) == 60


def test_of_nothing_there_is_no_risk() -> None:
    made = World()
    made.account("A")
    (book,) = books_of(made.state, made.state.accounts.values())
    found = asked(book)
    assert (found.lacking, found.together) == (None, None)
    assert found.tails[0].risk is not None
    assert (found.tails[0].risk.var, found.tails[0].risk.cvar) == (0, 0)
    assert book.exposure == (0, 0, 0, 0)
