"""Plans of rebalances: every account with its own cash, lots and fees, and what is left alone, with its reason."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evenkeel.desk.portfolios.rebalancing import NO_PRICE, ORDER_WORKS, Plan, Terms, plan
from evenkeel.domain import commands as c
from evenkeel.domain.limits import RuleSet
from evenkeel.domain.money import ONE
from evenkeel.domain.orders import Side
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.portfolios import Place
from evenkeel.domain.rebalancing import Rebalance, RebalanceEnded
from evenkeel.quant.costs import total_charge
from evenkeel.trading.engine.portfolios.worth import cash_of
from tests.trading.engine.portfolios.funds import fund, transfer
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, World, instrument

D = Decimal
COIL = instrument("COIL", lot="10")
HALVES = {ACME.id: D("0.5"), BOLT.id: D("0.5")}


def three() -> World:
    """Accounts with different cash and fees, and a portfolio in all of them."""
    made = World(ACME, BOLT, COIL)
    fees = ("zero", "percent(brokerage=0.002)", "fixed")
    for name, cash, costs in zip("ABC", ("100000", "50000", "30000"), fees, strict=True):
        made.account(name, cash, costs=costs)
    made.price(ACME, 10.0)
    made.price(BOLT, 20.0)
    fund(made, "fund", "A", "B", "C", cash=D(10000), rules=RuleSet(max_gross_leverage=ONE))
    for name, amount in (("B", "5000"), ("C", "2500")):
        made.step(transfer(Place(name), Place(name, "fund"), amount))
    return made


def planned(made: World, weights: dict[str, Decimal] = HALVES, **more: Any) -> Plan:
    return plan(made.state, "fund", Terms(weights, **more))


def carry_out(made: World, wanted: Plan, name: str = "one") -> RebalanceEnded:
    """Sends a plan, and fills what is placed at the last prices, with the charges of each account's schedule."""
    this = Rebalance(name, "fund", name, "x", wanted.value, wanted.cost, wanted.before, wanted.target, wanted.trades)
    made.step(c.RebalancePortfolio(provenance=WHO, rebalance=this))
    while "fund" in made.state.rebalances.running:
        order = next(one for held in made.state.accounts.values() for one in held.working.values())
        made.fill(order, str(order.quantity), str(made.state.mark(order.spec.instrument_id)))
    ended: RebalanceEnded = made.of(RebalanceEnded)[-1]
    return ended


def test_each_account_gets_its_own_part() -> None:
    made = three()
    found = planned(made)
    assert [(one.account_id, one.worth, one.cash) for one in found.accounts] == [
        ("A", D(10000), D(10000)), ("B", D(5000), D(5000)), ("C", D(2500), D(2500)),
    ]  # fmt: skip
    for one in found.accounts:
        schedule = made.state.find_schedule(made.state.accounts[one.account_id].account.costs)
        fees = sum(
            total_charge(
                schedule, trade.side, quantity=float(trade.quantity), notional=float(trade.quantity * trade.price)
            )
            for trade in one.trades
        )
        assert abs(float(one.cost) - fees) < 0.02, one.account_id
        spent = sum(trade.quantity * trade.price for trade in one.trades)
        assert one.cash_after == one.cash - spent - one.cost
        assert one.cash_after >= 0
        assert one.drift == D("0.5")
        assert one.drift_after <= D("0.02")
    assert found.accounts[0].cost == 0
    assert found.turnover <= 1


def test_preview_equals_result() -> None:
    made = three()
    found = planned(made)
    ended = carry_out(made, found)
    assert ended.success
    assert ended.after == found.after
    assert ended.traded == found.traded
    again = planned(made, {ACME.id: D("0.8"), BOLT.id: D("0.1")}, buffer=D("0.05"))
    assert {trade.side for trade in again.trades} == {Side.BUY, Side.SELL}
    done = carry_out(made, again, "two")
    assert (done.success, done.after, done.traded) == (True, again.after, again.traded)
    for one in again.accounts:
        assert cash_of(made.state.accounts[one.account_id], "fund") >= one.cash_after, "charges were not booked here"
    assert planned(made, {ACME.id: D("0.8"), BOLT.id: D("0.1")}, buffer=D("0.05"), band=D("0.01")).trades == ()


def test_what_is_left_alone_says_why() -> None:
    made = three()
    made.resting(Side.BUY, "1", book="fund", instrument_id=ACME.id)
    made.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "B"), keep_positions=True))
    found = planned(made, {ACME.id: D("0.4"), COIL.id: D("0.2"), BOLT.id: D("0.0002")}, least=D(50))
    reasons = {(one.account_id, one.instrument_id): one.reason for one in found.skipped}
    assert reasons["A", ACME.id] == ORDER_WORKS
    assert reasons["A", COIL.id] == NO_PRICE
    assert reasons["A", BOLT.id] == "the trade is worth less than 50"
    assert "panic" in reasons["B", None]
    assert {trade.account_id for trade in found.trades} == {"C"}


def test_what_risk_would_refuse_is_told_before() -> None:
    made = three()
    made.step(c.SetLimits(provenance=WHO, account_id="A", limits=replace(OPEN, max_position_share=D("0.01"))))
    found = planned(made)
    assert {one.account_id for one in found.refusals} == {"A"}
    assert found.refusals[0].reason.startswith("max-position-share: ")
    assert not planned(three()).refusals


def test_a_weight_inside_the_band_stays() -> None:
    made = three()
    carry_out(made, planned(made))
    made.price(ACME, 10.3)
    found = planned(made, band=D("0.05"))
    assert found.trades == ()
    assert {one.reason for one in found.skipped} == {"its weight is inside the band"}


def test_what_is_not_wanted_is_sold_and_lots_are_kept_to() -> None:
    made = three()
    made.price(COIL, 7.0)
    carry_out(made, planned(made))
    found = planned(made, {COIL.id: D(1)})
    for trade in found.trades:
        assert trade.quantity % made.state.instruments[trade.instrument_id].lot_size == 0
        assert (trade.quantity > 0) is (trade.instrument_id == COIL.id)
    assert carry_out(made, found, "two").success
    assert set(planned(made).before) == {COIL.id}


def test_an_account_without_money_is_left_out() -> None:
    made = World(ACME, BOLT)
    made.account("A", "1000")
    made.price(ACME, 10.0)
    fund(made, "fund", "A")
    (only,) = planned(made).skipped
    assert (only.account_id, only.reason) == ("A", "the portfolio has nothing here")


@given(st.lists(st.integers(0, 100), min_size=2, max_size=2), st.integers(0, 20), st.integers(0, 10))
@settings(max_examples=15, deadline=None)
def test_no_account_spends_more_than_it_has(parts: list[int], buffer: int, band: int) -> None:
    whole = max(1, sum(parts))
    weights = {ACME.id: D(parts[0]) / whole, BOLT.id: D(parts[1]) / whole}
    found = planned(three(), weights, buffer=D(buffer) / 100, band=D(band) / 100)
    for one in found.accounts:
        assert one.cash_after >= one.worth * buffer / 100 - D("0.000001")


def test_each_slice_of_a_trade_is_charged() -> None:
    """A fee of each order is due as often as there are slices, and no oftener than there are lots."""
    made = three()
    made.price(COIL, 50.0)
    whole, sliced = ({one.account_id: one.cost for one in planned(made, pieces=count).accounts} for count in (1, 4))
    assert whole["C"] > 0
    assert sliced["C"] == 4 * whole["C"]
    assert abs(sliced["B"] - whole["B"]) <= D("0.05"), "a share of the value is the same in parts"
    assert all(one.cash_after >= 0 for one in planned(made, pieces=4).accounts)
    (coil,) = (one for one in planned(made, {COIL.id: D("0.5")}, pieces=1000).accounts if one.account_id == "C")
    assert [trade.quantity for trade in coil.trades] == [20]
    assert coil.cost == whole["C"], "two lots, as two trades before"
