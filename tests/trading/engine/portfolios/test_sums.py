"""Whatever happens, an account is the sum of its books, and what a portfolio has made is worth less what was paid in.

Random trades, payments, transfers, adoptions, releases, dividends, splits and days; `assert_sound` then compares the
sums with the ledger and with the fold of every record.
"""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import Dividend, MarketSlice
from evenkeel.domain.orders import Side
from evenkeel.domain.portfolios import Place
from evenkeel.trading.engine.portfolios.worth import cash_of, contributed_to, worth_of
from tests.trading.engine.portfolios.funds import fund, world
from tests.trading.engine.world import ACME, BOLT, WHO, World, assert_sound, at, entries, split_slice

D = Decimal
ACCOUNTS, BOOKS = st.sampled_from("AB"), st.sampled_from(["manual", "one", "two", "trend", "unassigned"])
CENTS = st.integers(1, 500_000).map(lambda cents: D(cents) / 100)
PLACES = st.builds(Place, ACCOUNTS, BOOKS)
ACTS = st.one_of(
    st.tuples(st.just("trade"), PLACES, st.sampled_from([ACME, BOLT]), st.integers(-50, 50).filter(bool), CENTS),
    st.tuples(st.just("transfer"), PLACES, PLACES, CENTS),
    st.tuples(st.just("adopt"), st.sampled_from(["one", "two"]), ACCOUNTS, st.booleans()),
    st.tuples(st.just("cash"), PLACES, st.sampled_from(list(LedgerKind)), CENTS.map(lambda n: n - 2500)),
    st.tuples(st.just("dividend"), st.integers(1, 300)),
    st.tuples(st.just("split"), st.sampled_from(["2:1", "1:3", "7:5"])),
    st.tuples(st.just("day"), st.floats(0.5, 60.0)),
)


def _acted(made: World, act: tuple, day: int) -> None:
    match act:
        case ("trade", place, of, quantity, price):
            side = Side.BUY if quantity > 0 else Side.SELL
            order = made.submit(
                side, str(abs(quantity)), account_id=place.account_id, book=place.book, instrument_id=of.id
            )
            if order.is_working:
                charge = (Charge("commission", D("0.35")),)
                made.fill(order, str(abs(quantity)), str(price), charges=charge)
        case ("transfer", source, target, amount):
            made.step(c.TransferCash(provenance=WHO, source=source, target=target, amount=amount))
        case ("adopt", name, account_id, release):
            made.step(
                c.AdoptBook(provenance=WHO, portfolio_id=name, account_id=account_id, book="trend", release=release)
            )
        case ("cash", place, kind, amount):
            made.step(
                c.MoveCash(provenance=WHO, account_id=place.account_id, book=place.book, kind=kind, amount=amount)
            )
        case ("dividend", cents):
            paid = Dividend(ACME.id, date.fromordinal(730_000 + day), D(cents) / 100)
            made.step(MarketSlice(at(day), dividends=(paid,)))
        case ("split", ratio):
            made.step(split_slice(day, ratio))
        case ("day", price):
            made.price(ACME, round(price, 2), day)


@given(st.lists(ACTS, max_size=25))
def test_an_account_is_the_sum_of_its_books(acts: list[tuple]) -> None:
    made = world()
    made.deploy(("A", "0.2"), ("B", "0.2"), of=(ACME, BOLT))
    fund(made, "one", "A", "B", cash=D(20000))
    fund(made, "two", "A", cash=D(500))
    for day, act in enumerate(acts, 1):
        try:
            _acted(made, act, day)
        except EvenkeelError:
            continue
    assert_sound(made)
    by_book: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in entries(made.records):
        by_book[entry.account_id, entry.book] += entry.amount
    for (account_id, book), amount in by_book.items():
        assert cash_of(made.state.accounts[account_id], book) == amount
    for held in made.state.portfolios.values():
        whole = worth_of(made.state, held)
        parts = [worth_of(made.state, held, account_id=name) for name in held.portfolio.account_ids]
        assert whole.value == sum((part.value for part in parts), D(0))
        assert set(held.books) == {key for key, owner in made.state.owners.items() if owner == held.portfolio.id}
        assert contributed_to(held) == sum(held.contributed.values(), D(0))
