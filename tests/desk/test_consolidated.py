"""Many accounts as one: sums that add up digit for digit, conversions that are named, and kept totals that agree."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.desk.consolidated import FIGURES, Figures, by_currency, in_currency, merged, read
from evenkeel.desk.platform import PlatformFigures, platform
from evenkeel.domain.fx import FxRate, Rates, RateSource
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.orders import Side
from evenkeel.trading.engine.state import State
from tests.desk.account_memory import StateTotals
from tests.trading.engine.world import ACME, BOLT, World

D = Decimal
DAY = date(2024, 3, 4)


def rates(**given: str) -> Rates:
    found = Rates()
    for pair, rate in given.items():
        base, quote = pair.split("_")
        found.take(FxRate(base.upper(), quote.upper(), DAY, D(rate), RateSource.HAND))
    return found


def of_platform(state: State) -> PlatformFigures:
    totals, instruments = asyncio.run(StateTotals(lambda: state).platform())
    return platform(state, totals, instruments=instruments)


TRADES = st.lists(
    st.tuples(st.sampled_from("AB"), st.booleans(), st.integers(-50, 50).filter(bool), st.integers(5, 20)), max_size=12
)


def traded(trades: list[tuple[str, bool, int, int]]) -> World:
    """Two accounts that have traded two instruments."""
    world = World()
    for name in "AB":
        world.account(name)
    world.price(ACME, 10.0)
    world.price(BOLT, 10.0)
    for account_id, is_acme, quantity, price in trades:
        of = ACME if is_acme else BOLT
        world.price(of, float(price))
        more = {"account_id": account_id, "instrument_id": of.id}
        order = world.resting(Side.BUY if quantity > 0 else Side.SELL, str(abs(quantity)), **more)
        world.fill(order, str(order.quantity), str(price))
    return world


@settings(max_examples=60)
@given(trades=TRADES)
def test_figures_merged_positions_and_kept_totals_say_the_same(trades: list[tuple[str, bool, int, int]]) -> None:
    world = traded(trades)
    state, accounts = world.state, [read(world.state, held) for held in world.state.accounts.values()]
    whole = by_currency(("USD", one.figures) for one in accounts).get("USD", Figures())
    found = merged(state, accounts)
    for account in accounts:
        assert account.figures.equity == state.equity(account.held)
    value, unrealised = ZERO, ZERO
    for one in found:
        for part in one.parts:
            assert part.quantity == state.accounts[part.account_id].net[one.instrument_id]
            value, unrealised = add(value, part.value), add(unrealised, part.unrealised)
    assert (whole.net, whole.unrealised) == (value, unrealised)
    assert whole.equity == add(whole.cash, whole.net)
    assert whole.positions == sum(bool(part.quantity) for one in found for part in one.parts)
    kept = of_platform(state)
    assert kept.unpriced == 0
    for name in ("cash", "equity", "long", "short", "realised", "unrealised", "contributed", "accounts", "positions"):
        assert getattr(kept.by_currency["USD"], name) == getattr(whole, name), name
    assert kept.by_currency["USD"].day_pnl is None


def test_books_of_an_account_that_cancel_out_are_the_same_in_every_view() -> None:
    world = traded([])
    world.holding("10", "8", account_id="A", instrument_id=BOLT.id)
    world.holding("-10", "11", account_id="A", instrument_id=BOLT.id, book="other")
    own = read(world.state, world.state.accounts["A"]).figures
    kept = of_platform(world.state).by_currency["USD"]
    assert (own.positions, own.unrealised) == (kept.positions, kept.unrealised) == (0, D(30))
    world.state.marks.clear()
    assert of_platform(world.state).by_currency["USD"].net == read(world.state, world.state.accounts["A"]).figures.net


def test_what_has_no_price_is_valued_at_cost_and_counted() -> None:
    world = traded([("A", True, 10, 8), ("B", True, -4, 8)])
    world.state.marks.clear()
    kept = of_platform(world.state)
    assert kept.unpriced == 1
    figures = kept.by_currency["USD"]
    assert (figures.long, figures.short, figures.unrealised) == (D(48), ZERO, ZERO)


def test_a_total_names_what_it_leaves_out() -> None:
    sums = {"EUR": Figures(equity=D("100.00"), accounts=1), "INR": Figures(equity=D("5.00"), accounts=2)}
    whole = in_currency(sums, "USD", rates=rates(eur_usd="1.25"), today=DAY)
    assert (whole.figures.equity, whole.figures.accounts) == (D("125.00"), 1)
    assert (whole.left_out, whole.stale) == (("INR",), ())
    later = in_currency(sums, "USD", rates=rates(eur_usd="1.25", inr_usd="0.012"), today=date(2024, 3, 9))
    assert (later.left_out, later.stale) == ((), ("EUR", "INR"))
    assert later.figures.equity == D("125.06")


def test_a_day_that_is_not_known_of_one_currency_is_not_known_of_the_total() -> None:
    sums = {"EUR": Figures(day_pnl=D("4.00")), "USD": Figures(day_pnl=None)}
    assert in_currency(sums, "USD", rates=rates(eur_usd="1.25"), today=DAY).figures.day_pnl is None
    assert in_currency({"EUR": sums["EUR"]}, "USD", rates=rates(eur_usd="1.25"), today=DAY).figures.day_pnl == D("5.00")


@given(amounts=st.lists(st.decimals(-(10**9), 10**9, places=2, allow_nan=False), min_size=1, max_size=6))
def test_each_currency_is_rounded_once(amounts: list[Decimal]) -> None:
    """Sums are made before they are converted: how many accounts there are makes no difference."""
    parts = [("EUR", Figures(cash=one)) for one in amounts]
    known, whole = rates(eur_usd="1.0832"), ZERO
    for one in amounts:
        whole = add(whole, one)
    together = in_currency(by_currency(parts), "USD", rates=known, today=DAY).figures.cash
    alone = in_currency({"EUR": Figures(cash=whole)}, "USD", rates=known, today=DAY).figures.cash
    assert together == alone


def test_the_day_and_what_was_paid_in_are_the_accounts() -> None:
    world = traded([("A", True, 10, 10)])
    world.price(ACME, 12.0)
    found = read(world.state, world.state.accounts["A"]).figures
    assert sub(found.equity, found.contributed) == found.unrealised == D("20.00")
    assert found.day_pnl == sub(found.equity, world.state.accounts["A"].day_start_equity)
    assert set(FIGURES) <= set(Figures.__struct_fields__)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_taken_and_converted(name: str) -> None:
    given: dict[str, Any] = {name: D(4)}
    whole = in_currency({"EUR": Figures(**given)}, "USD", rates=rates(eur_usd="1.5"), today=DAY)
    assert getattr(whole.figures, name) == D("6.00")
