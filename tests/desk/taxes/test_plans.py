"""The tax of a plan lot by lot, wash sales over all accounts of its owner, and weights placed where tax is least."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.desk.portfolios import rebalancing
from evenkeel.desk.portfolios.rebalancing import Plan, Terms, plan
from evenkeel.desk.taxes import placing
from evenkeel.desk.taxes.books import Settings
from evenkeel.desk.taxes.plans import PlanTax, plan_tax
from evenkeel.domain import commands as c
from evenkeel.domain.money import ZERO
from evenkeel.domain.orders import Side
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.taxes import LotMethod, TaxStatus
from tests.desk.taxes.books import TAXES, always, followed, terms, three
from tests.trading.engine.portfolios.funds import fund
from tests.trading.engine.world import ACME, BOLT, WHO, World

D = Decimal


def taxed(made: World, wanted: Plan, *, taxes: dict[str, Settings] = TAXES, days: int = 30) -> PlanTax:
    return plan_tax(made.state, followed(made), wanted, taxes=taxes, days=days)


def across(made: World, weights: dict[str, Decimal], *, yields: dict[str, float] | None = None, **more: Any) -> Plan:
    wanted = Terms(weights, **more)
    parts = rebalancing.gathered(made.state, "fund", wanted)
    chosen = placing.Across(followed(made), TAXES, yields or {})
    this = placing.gathered(made.state, "fund", parts, terms=wanted, across=chosen)
    own = wanted if this is None else placing.placed(this, wanted)
    return rebalancing.told(made.state, "fund", wanted, parts, accounts=rebalancing.solved(parts, own))


def trades(found: Plan) -> list[tuple[str, str, Decimal]]:
    named = {ACME.id: "ACME", BOLT.id: "BOLT"}
    return [(one.account_id, named[one.instrument_id], one.quantity) for one in found.trades]


def test_each_trade_says_what_it_realises() -> None:
    made = three()
    for account_id in "AB":
        made.holding("100", "4", account_id=account_id, book="fund")
    made.price(ACME, 10.0, 400)
    for account_id in "AB":
        made.holding("100", "7", account_id=account_id, book="fund")
    found = taxed(made, plan(made.state, "fund", Terms({})))
    assert [(one.trade.account_id, one.short, one.long, one.tax) for one in found.trades] == [
        ("A", D(300), D(600), D("150.00")), ("B", D(300), D(600), D(0)),
    ]  # fmt: skip
    assert (found.short, found.long, found.tax, found.untold) == (D(600), D(1200), D("150.00"), ())
    untold = taxed(made, plan(made.state, "fund", Terms({})), taxes={**TAXES, "A": ()})
    assert (untold.trades[0].tax, untold.tax, untold.untold) == (None, 0, ("A",))
    kept = taxed(made, plan(made.state, "fund", Terms({ACME.id: D("0.1")})))
    assert kept.trades[0].short == 0, "min-tax takes those held for long first"


def test_charges_are_part_of_what_is_realised() -> None:
    made = World(ACME, BOLT)
    made.account("A", "100000", costs="percent(brokerage=0.01)")
    made.price(ACME, 10.0)
    made.holding("100", "10")
    fund(made, "fund", "A", cash=D(10000))
    made.holding("100", "10", book="fund")
    wanted = plan(made.state, "fund", Terms({}))
    (one,) = taxed(made, wanted).trades
    assert one.short == -wanted.cost < 0


def test_a_loss_beside_a_purchase_in_any_account_is_warned_of() -> None:
    made = three()
    made.holding("100", "15", book="fund")
    made.price(ACME, 10.0, 100)
    made.holding("40", "11", account_id="C")
    made.price(ACME, 10.0, 120)
    wanted = plan(made.state, "fund", Terms({}))
    (one,) = taxed(made, wanted).washes
    assert (one.wash.amount, one.wash.at_risk, one.wash.loss.planned) == (D(500), D(200), True)
    assert [(bought.account_id, bought.quantity, bought.planned) for bought in one.wash.purchases] == [
        ("C", D(40), False)
    ]
    assert taxed(made, wanted, days=19).washes == ()
    assert taxed(made, wanted, taxes={"A": TAXES["A"], "B": TAXES["B"]}).washes == (), "what may not be seen"
    free = {**TAXES, "A": always(terms(status=TaxStatus.FREE))}
    assert taxed(made, wanted, taxes=free).washes == (), "where it would not count"


def test_purchases_of_the_same_plan_count_and_so_do_losses_of_last_month() -> None:
    made = three()
    made.holding("900", "15", book="fund")
    made.price(ACME, 10.0, 100)
    wanted = plan(made.state, "fund", Terms({ACME.id: D("0.5")}))
    assert {one.side for one in wanted.trades} == {Side.SELL, Side.BUY}
    (one,) = taxed(made, wanted).washes
    assert {bought.account_id for bought in one.wash.purchases} == {"B", "C"}
    assert all(bought.planned for bought in one.wash.purchases)

    made.holding("-900", "10", book="fund")
    made.price(ACME, 10.0, 125)
    (after,) = taxed(made, plan(made.state, "fund", Terms({ACME.id: D("0.1")}))).washes
    assert (after.wash.loss.planned, after.wash.amount) == (False, D(4500))
    made.price(ACME, 10.0, 140)
    assert taxed(made, plan(made.state, "fund", Terms({ACME.id: D("0.1")}))).washes == ()


def test_who_buys_back_a_short_has_bought_nothing_else() -> None:
    made = three()
    made.holding("-50", "12", book="fund")
    found = taxed(made, plan(made.state, "fund", Terms({})))
    assert [(one.short, one.tax) for one in found.trades] == [(D(100), D("30.00"))]
    assert found.washes == ()


def test_who_sells_is_who_pays_least() -> None:
    """All hold ACME with a gain, and half of it is to go: A, which would be taxed, keeps its own."""
    made = three()
    for account_id in "ABC":
        made.holding("900", "5", account_id=account_id, book="fund")
    before = plan(made.state, "fund", Terms({ACME.id: D("0.45")}))
    assert taxed(made, before).tax > 0, "each for itself"
    found = across(made, {ACME.id: D("0.45")})
    assert "A" not in {one.account_id for one in found.trades}
    assert taxed(made, found).tax == 0
    assert found.drift > D("0.1")
    assert found.drift_after < D("0.001")
    assert abs(found.after[ACME.id] - D("0.45")) < D("0.001")


def test_losses_go_first_and_nobody_buys_what_another_sells() -> None:
    made = three()
    made.holding("300", "15", book="fund")
    made.holding("300", "5", account_id="B", book="fund")
    made.price(ACME, 10.0, 100)
    found = across(made, {ACME.id: D("0.1"), BOLT.id: D("0.4")})
    sales = [(account, name, count) for account, name, count in trades(found) if count < 0]
    assert [(account, name) for account, name, _ in sales] == [("A", "ACME")]
    assert all(name == "BOLT" for _, name, count in trades(found) if count > 0)
    assert taxed(made, found).tax < 0
    assert taxed(made, found).washes == ()
    assert all(one.cash_after >= 0 for one in found.accounts)


def test_what_pays_much_is_bought_where_it_is_not_taxed() -> None:
    made = three()
    found = across(made, {ACME.id: D("0.33"), BOLT.id: D("0.33")}, yields={BOLT.id: 0.05})
    bought = {(account, name) for account, name, _ in trades(found)}
    assert ("A", "BOLT") not in bought
    assert abs(found.after[BOLT.id] - D("0.33")) < D("0.001")


def test_band_buffer_and_what_cannot_be_traded() -> None:
    made = three()
    made.holding("900", "10", book="fund")
    inside = across(made, {ACME.id: D("0.31")}, band=D("0.02"))
    assert inside.trades == ()
    assert {one.reason for one in inside.skipped} == {"its weight in all accounts is inside the band"}
    full = across(made, {ACME.id: D("0.5"), BOLT.id: D("0.5")}, buffer=D("0.1"))
    assert all(one.cash_after >= one.worth * D("0.1") for one in full.accounts)
    assert full.drift_after < D("0.002")
    made.resting(Side.SELL, "10", book="fund")
    busy = across(made, {ACME.id: D("0.1")})
    assert busy.trades == (), "an order works on what would be sold, and nobody buys instead"
    made.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "C"), keep_positions=True))
    left = across(made, {BOLT.id: D("0.3")})
    assert "C" not in {one.account_id for one in left.trades}


def test_shorts_are_bought_back_where_they_are() -> None:
    made = three()
    made.holding("-50", "10", book="fund")
    made.holding("300", "10", account_id="B", book="fund")
    found = across(made, {ACME.id: D("0.05")})
    assert ("A", "ACME", D(50)) in trades(found)
    assert [one for one in trades(found) if one[0] == "B"] == [("B", "ACME", D(-150))]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 400), st.integers(5, 15)), max_size=6),
    st.sampled_from(list(LotMethod)),
    st.integers(0, 8),
)
def test_across_accounts_costs_no_more_tax_and_is_as_near(
    held: list[tuple[str, int, int]], method: LotMethod, tenths: int
) -> None:
    made = three()
    for account_id, count, price in held:
        made.holding(str(count), str(price), account_id=account_id, book="fund")
    weights = {ACME.id: D(tenths) / 10, BOLT.id: D("0.1")}
    wanted = Terms(weights)
    parts = rebalancing.gathered(made.state, "fund", wanted)
    taxes = {**TAXES, "A": always(terms(method))}
    chosen = placing.Across(followed(made), taxes, {})
    this = placing.gathered(made.state, "fund", parts, terms=wanted, across=chosen)
    assert this is not None
    own = placing.placed(this, wanted)
    found = rebalancing.told(made.state, "fund", wanted, parts, accounts=rebalancing.solved(parts, own))
    for name in (ACME.id, BOLT.id):
        assert len({one.side for one in found.trades if one.instrument_id == name}) <= 1
    alone = plan(made.state, "fund", wanted)
    assert found.drift_after <= max(alone.drift_after, D("0.005"))
    sides = {(one.instrument_id, one.side) for one in alone.trades}
    if alone.drift_after <= D("0.005") and len(sides) == len({name for name, _ in sides}):
        lot = D(20) * 4  # a lot more or less in each account
        assert taxed(made, found, taxes=taxes).tax <= taxed(made, alone, taxes=taxes).tax + lot
    assert found.turnover >= ZERO


def test_what_goes_out_in_slices_is_charged_slice_by_slice_in_its_gain_too() -> None:
    made = World(ACME)
    made.account("A", "100000", costs="fixed")
    made.price(ACME, 10.0)
    fund(made, "fund", "A", cash=D(10000))
    made.holding("100", "4", book="fund")
    whole, sliced = (plan(made.state, "fund", Terms({}, pieces=count)) for count in (1, 4))
    assert whole.cost > 0
    assert sliced.cost == 4 * whole.cost
    assert taxed(made, whole).short - taxed(made, sliced).short == 3 * whole.cost
