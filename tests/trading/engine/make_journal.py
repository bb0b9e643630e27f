"""Writes the journal that a release leaves behind for all later ones to fold.

Run it as `python -m tests.trading.engine.make_journal 0.1.0`. It is a short life with every type of record in it,
committed in batches of uneven size, and beside it the figures it folds to. A journal that exists is never written
again: what a release wrote is a fact.
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountMode, FillTerms, Financing, LedgerKind, Limits
from evenkeel.domain.clock import from_ns
from evenkeel.domain.copying import CopyKind, CopyLink, CopyMode, CopyTerms, MasterFill, Multiplier
from evenkeel.domain.fills import Charge
from evenkeel.domain.fx import FxRate, RateSource
from evenkeel.domain.limits import Layer, LimitScope, RuleSet
from evenkeel.domain.live import Custody
from evenkeel.domain.marketdata import Dividend, MarketSlice, Quote
from evenkeel.domain.mtm import DayRules, Measure, MtmRules, SessionTimes
from evenkeel.domain.mtm import Trail as Trailing
from evenkeel.domain.orders import OrderKind, Side, TimeInForce, Trail, Trigger
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.portfolios import Place, Portfolio
from evenkeel.domain.rebalance_schedules import Aim, Cadence, Run, RunState, Schedule, Timing, run_id
from evenkeel.domain.rebalancing import PlannedTrade, Rebalance, order_name
from evenkeel.domain.routing import Route
from evenkeel.domain.selections import Edit
from evenkeel.domain.strategies import Protection
from evenkeel.domain.walkforward import WalkForwardSession
from evenkeel.trading.engine.state import State
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, at, bar, split_slice

HERE = Path(__file__).parent / "data"


def life() -> World:
    """Four days of two accounts, with most of what can go wrong."""
    world = World()
    world.step(e.Started(run="first", version="0.1.0", at=at(0)))
    world.account("A", costs="us-per-share")
    world.account("B", "2500.50", limits=Limits())
    world.deploy(("A", "0.25"), ("B", "0.09"), of=(ACME, BOLT))
    world.step(MarketSlice(at(0), bars=(bar(ACME, 0, 40.0), bar(BOLT, 0, 7.5, spread=0.02))))
    world.signal(1.0)
    for order in tuple(world.state.orders.values()):
        world.step(world.said(e.VenueAccepted, order))
        if order.is_working:
            world.fill(order, str(order.quantity), "40.02", charges=(Charge("commission", D("1.25")),), bar=at(0))
    _orders(world)
    _steering(world)
    _away(world)
    _holding(world)
    _halted(world)
    _walked(world)
    _held(world)
    _composed(world)
    _followed(world)
    _copied(world)
    _limited(world)
    _routed(world)
    _controlled(world)
    _barred(world)
    _live(world)
    _apart(world)
    _retired(world)
    return world


def _apart(world: World) -> None:
    """A portfolio gets money of its own, adopts a strategy's book, is rebalanced, and ends a day."""
    fund = Portfolio("fund", "u", "Fund", "USD", ("A", "B"), "what rises")
    world.step(
        c.CreatePortfolio(provenance=WHO, portfolio=fund, rules=RuleSet(max_position_share=D("0.5")), cash=D(100))
    )
    world.step(c.AdoptBook(provenance=WHO, portfolio_id="fund", account_id="A", book="trend"))
    world.step(
        c.TransferCash(provenance=WHO, source=Place("B"), target=Place("A", "fund"), amount=D("50.25"), note="more")
    )
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D("7.50"), book="fund"))
    trades = (PlannedTrade("A", BOLT.id, D(2), D(3)),)
    plan = Rebalance("rebalanced", "fund", "march", "asked", value=D(1000), cost=D("0.02"), trades=trades)
    world.step(c.RebalancePortfolio(provenance=WHO, rebalance=plan))
    bought = world.state.orders[world.state.client_ids["A", order_name(plan.id, 0, 0)]]
    world.fill(bought, "2", "3.01", charges=(Charge("commission", D("0.02")),))
    _scheduled(world)
    world.price(ACME, 21.0, 9)


def _scheduled(world: World) -> None:
    """It is rebalanced by itself: one run is declined, the next is sent."""
    aim, timing = Aim({ACME.id: D("0.5")}), Timing(Cadence.MONTHLY)
    schedule = Schedule(timing, aim)
    world.step(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="fund", schedule=schedule))
    since = world.state.schedules.all["fund"].since
    for number, state in enumerate((RunState.PROPOSED, RunState.SENT), 1):
        due = since + number
        name = run_id("fund", due)
        this = Rebalance(name, "fund", f"scheduled {number}", name, value=D(1000), cost=D(0))
        run = Run(name, "fund", due, state, rebalance=this, expires=due + 10**15)
        world.step(c.RecordRebalanceRun(provenance=WHO, run=run, since=since))
        if state is RunState.PROPOSED:
            world.step(c.AnswerRebalanceRun(provenance=WHO, portfolio_id="fund", run_id=name, approve=False))


def _retired(world: World) -> None:
    """A rate is given, and an account goes out of use, comes back, and is called something else."""
    rate = FxRate("EUR", "USD", from_ns(world.now).date(), D("1.0832"), RateSource.HAND)
    world.step(c.SetFxRates(provenance=WHO, rates=(rate,)))
    world.step(c.DeactivateAccount(provenance=WHO, account_id="B", reason="a rest", keep=True))
    world.step(c.ReactivateAccount(provenance=WHO, account_id="B"))
    world.step(c.RenameAccount(provenance=WHO, account_id="B", name="B anew"))


def _live(world: World) -> None:
    """An account at a broker that trades for real is opened, switched live, and off again."""
    real = Account("L", "u", "Live", "acme", "USD", mode=AccountMode.LIVE)
    world.state.real = frozenset({"acme"})
    world.step(c.OpenLiveAccount(provenance=WHO, account=real, cash=D(500)))
    for on in (True, False):
        world.step(c.SwitchLive(provenance=WHO, account_id="L", on=on, custody=Custody.UNATTENDED))


def _orders(world: World) -> None:
    stop = world.resting(Side.SELL, "600", kind=OrderKind.STOP, stop_price=D("35"), time_in_force=TimeInForce.GTC)
    limit = world.resting(
        Side.BUY, "10.5", kind=OrderKind.LIMIT, limit_price=D("7.40"), instrument_id=BOLT.id, book="manual"
    )
    world.fill(limit, "4.25", "7.39", charges=(Charge("commission", D("0.02")), Charge("stamp", D("0.01"), "tax")))
    world.step(c.ModifyOrder(provenance=WHO, order_id=limit.id, quantity=D("8.5"), limit_price=D("7.42")))
    world.step(world.said(e.VenueAmended, limit, quantity=D("8.5"), limit_price=D("7.42")))
    busted = world.fill(limit, "1.25", "7.41")
    world.step(e.VenueBusted(account_id="A", execution_id=busted.execution_id, reason="an error"))
    gone = world.resting(Side.BUY, "5")
    world.cancel(gone)
    world.step(world.said(e.VenueCancelled, gone, reason="as asked"))
    world.fill(gone, "2", "40.10")
    late, lost = world.submit(quantity="3"), world.submit(quantity="4")
    world.step(e.IntentDelayed(late.id, 300_000_000))
    world.step(e.IntentOverdue(late.id))
    world.step(e.SendUncertain(lost.id, "no answer"))
    world.step(split_slice(1, "3:2"))
    assert stop.quantity == D(900)


def _steering(world: World) -> None:
    world.price(ACME, 27.5, 1)
    world.step(c.MoveCash(provenance=WHO, account_id="B", amount=D("-100.25"), kind=LedgerKind.WITHDRAWAL))
    world.step(c.MoveCash(provenance=WHO, account_id="A", amount=D("12.34"), kind=LedgerKind.DIVIDEND))
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=msgspec.structs.replace(OPEN, daily_loss=D("0.5"))))
    world.signal(0.0)
    world.signal(None)
    world.step(c.PauseDeployment(provenance=WHO, deployment_id="trend", reason="a missed deadline"))
    world.step(e.CursorAdvanced(at(1), {"trend": b"\x01\x02"}))


def _away(world: World) -> None:
    """The link is lost; meanwhile somebody trades by telephone, and a fill is missed."""
    world.step(e.BrokerLink("A", connected=False, reason="the line is dead"))
    world.step(e.BrokerLink("A", connected=True))
    elsewhere = e.VenueFilled(
        account_id="A",
        venue_order_id="PHONE-1",
        execution_id="PX1",
        instrument_id=ACME.id,
        side=Side.SELL,
        quantity=D(50),
        price=D("27.60"),
        at=at(1),
    )
    held = tuple(
        e.BrokerPosition(account_id="A", instrument_id=one.id, quantity=D(quantity))
        for one, quantity in ((ACME, "400"), (BOLT, "4.25"))
    )
    world.step(world.snapshot(executions=(elsewhere,), positions=held))
    world.step(MarketSlice(at(2), bars=(bar(ACME, 2, 28.0), bar(BOLT, 2, 7.6))))
    world.step(e.BrokerSnapshot(account_id="B", complete=False, reason="timed out"))


def _holding(world: World) -> None:
    """An account that pays for what it holds overnight, a position that is guarded, and a dividend."""
    world.account("C", "5000", financing=Financing(debit=0.07, credit=0.01, borrow=0.03))
    world.deploy(("C", "0.5"), book="guarded", of=(BOLT,), protection=Protection(stop_loss=0.1, take_profit=0.2))
    world.signal(1.0, book="guarded", of=BOLT)
    (entry,) = (order for order in world.state.orders.values() if order.spec.book == "guarded")
    world.fill(entry, str(entry.quantity), "7.61", bar=at(2))
    for exit_order in tuple(world.state.accounts["C"].working.values()):
        world.step(world.said(e.VenueAccepted, exit_order))
    world.step(MarketSlice(at(3), dividends=(Dividend(BOLT.id, date(2024, 3, 7), D("0.12")),)))


def _halted(world: World) -> None:
    """An account is halted, and closed but for what a broker does not let go; a person lets it trade again."""
    scope = Scope(ScopeKind.ACCOUNT, "B")
    world.step(c.Panic(provenance=WHO, scope=scope, reason="the model is wrong", cooldown=0))
    world.step(e.PanicDue())
    world.step(c.Resume(provenance=WHO, scope=scope, abandon=True))


def _limited(world: World) -> None:
    """A user's accounts have limits of their own; they fall until entries are halted, and a person lifts that."""
    scope = LimitScope(Layer.USER, "u")
    rules = RuleSet(max_position=D(10_000), daily_loss_amount=D(5000), drawdown_halt=D("0.000001"))
    world.step(c.SetScopeLimits(provenance=WHO, scope=scope, rules=rules))
    world.step(MarketSlice(at(5), bars=(bar(ACME, 5, 40.0), bar(BOLT, 5, 7.7))))
    world.step(MarketSlice(at(6), bars=(bar(ACME, 6, 41.0), bar(BOLT, 6, 7.7))))
    world.step(MarketSlice(at(6) + 60_000_000_000, bars=(bar(ACME, 6, 20.0), bar(BOLT, 6, 3.0))))
    world.step(c.LiftHalt(provenance=WHO, scope=scope))


def _barred(world: World) -> None:
    """Too many orders come to nothing: entries are halted until a person lifts that."""
    limits = Limits(max_order_quantity=D(1), max_rejects=1, reject_window=60)
    world.step(c.SetLimits(provenance=WHO, account_id="B", limits=limits))
    world.submit(Side.BUY, "2", account_id="B", kind=OrderKind.LIMIT, limit_price=D(1))
    world.step(c.LiftHalt(provenance=WHO, scope=LimitScope(Layer.ACCOUNT, "B")))


def _held(world: World) -> None:
    """An order waits for its price and goes out; a stop follows the price at its venue."""
    world.price(ACME, 28.2, 4)
    waiting = world.submit(Side.BUY, "3", trigger=Trigger(D("28.5")), time_in_force=TimeInForce.GTC)
    trail = Trail(amount=D("1.5"))
    stop = world.resting(Side.BUY, "2", kind=OrderKind.TRAILING_STOP, trail=trail, time_in_force=TimeInForce.GTC)
    higher, lower = (MarketSlice(at(4), quotes=(Quote(ACME.id, at(4) + n, n, n, n),)) for n in (29, 27))
    world.step(higher)
    world.step(lower)
    assert (waiting.state, stop.kept is not None and stop.kept.level) == ("SUBMITTED", D("28.50"))


def _walked(world: World) -> None:
    """A walk-forward session is opened, started, and completed: what it holds is closed, its figures are frozen."""
    account = msgspec.structs.replace(
        world.state.accounts["C"].account, id="W", name="W", mode=AccountMode.WALKFORWARD, terms=FillTerms(queue=0.2)
    )
    session = WalkForwardSession("walk", "W", "u", "W", capital=D(20_000), costs=True)
    world.step(c.OpenSession(provenance=WHO, session=session, account=account))
    world.step(e.BrokerSnapshot(account_id="W", complete=True))
    world.step(c.StartSession(provenance=WHO, session_id="walk"))
    world.holding("7", "28.01", account_id="W")
    world.step(c.CompleteSession(provenance=WHO, session_id="walk"))
    (closing,) = world.state.accounts["W"].working.values()
    world.step(world.said(e.VenueAccepted, closing))
    world.fill(closing, "7", "28.05")


def _routed(world: World) -> None:
    """A route is declared, an order goes where it leads, and the route is forgotten."""
    world.step(c.SetRoute(provenance=WHO, route=Route("u", "best", ("A", "C"))))
    world.step(c.RouteOrder(provenance=WHO, user_id="u", name="best", spec=world.spec(Side.BUY, "1")))
    world.step(c.RemoveRoute(provenance=WHO, user_id="u", name="best"))


def _composed(world: World) -> None:
    """An iceberg shows two of its parts, is changed, and is cancelled before the second has filled."""
    order = world.spec(Side.BUY, "9", kind=OrderKind.LIMIT, limit_price=D("2.10"), account_id="C")
    step = world.step(
        c.SubmitComposite(provenance=WHO, client_order_id="iceberg", terms=d.Iceberg(order, displayed=D(3)))
    )
    assert step.outcome is not None
    one = world.state.composites[step.outcome.id]
    for price in ("2.10", "2.11"):
        (part,) = (world.state.orders[name] for name in one.working)
        world.step(world.said(e.VenueAccepted, part))
        if price == "2.10":
            world.fill(part, "3", price)
    change = d.CompositeChange(limit_price=D("2.12"), displayed=D(4))
    world.step(c.ModifyComposite(provenance=WHO, composite_id=one.id, change=change))
    world.step(c.CancelComposite(provenance=WHO, composite_id=one.id))
    (part,) = (world.state.orders[name] for name in one.working)
    world.step(world.said(e.VenueCancelled, part))
    assert one.filled == {"slice": D(3)}


def _followed(world: World) -> None:
    """A position is closed once the cancel of what rests there is confirmed."""
    resting = world.resting(Side.BUY, "1", kind=OrderKind.LIMIT, limit_price=D("2.50"), account_id="C")
    world.step(c.EditOrders(provenance=WHO, edits=((resting.id, Edit(at_market=True)),)))
    world.step(world.said(e.VenueCancelled, resting))
    assert world.state.follow_ups == {}


def _copied(world: World) -> None:
    """A link, a fill that it copies, and records that concern none."""
    terms = CopyTerms(Multiplier(D("0.5")), max_slippage=D("0.5"))
    link = CopyLink(
        id="copies", master_id="A", follower_id="C", mode=CopyMode.FILLS, proposed_by="u", terms=terms, accepted=True
    )
    world.step(c.OpenCopyLink(provenance=WHO, link=link))
    source = world.state.seq + 1
    fill = MasterFill(CopyKind.FILL, ACME.id, D(4), D(10), world.now, "", D("0.5"))
    world.step(c.TakeCopy(provenance=WHO, link_id="copies", source=source, event=fill))
    world.step(e.CopiesRead(source + 1))


def _controlled(world: World) -> None:
    """A level has its best, falls from it and is closed; another counts a new day; both have times."""
    moment = world.now + 60_000_000_000
    session = SessionTimes(from_ns(moment).date(), moment - 1, moment + 7_200_000_000_000)
    world.step(e.SessionsKnown(ACME.calendar, "UTC", (session,)))
    rules = MtmRules(trail=Trailing(Measure(D(50))), cooldown=0, day=DayRules(end_of_day=30))
    for account_id in "AB":
        scope = Scope(ScopeKind.ACCOUNT, account_id, instrument_id=ACME.id if account_id == "A" else BOLT.id)
        world.step(c.SetMtmRules(provenance=WHO, scope=scope, rules=rules))
    size = abs(world.position("trend"))
    for number, price in enumerate((20.0, 20.0 + 100 / float(size), 20.0)):
        world.step(MarketSlice(moment + number, quotes=(Quote(ACME.id, moment + number, price, price, price),)))
    world.price(BOLT, 3.0, 8)


def batches(records: list[r.AnyRecord]) -> Iterator[r.Batch]:
    """The records in transactions of one, two, three … records, chained by their hashes."""
    prev, first, size = r.GENESIS, 1, 1
    while first <= len(records):
        part = tuple(records[first - 1 : first - 1 + size])
        batch = r.Batch("main", 1, first, first + len(part) - 1, prev, r.encode(part))
        yield batch
        prev, first, size = r.chain_hash(batch), first + len(part), size % 7 + 1


def figures(state: State) -> dict[str, Any]:
    """What a reader of the journal must find: cash, holdings, orders, days."""
    return {
        "seq": state.seq,
        "cursor": state.cursor,
        "accounts": {name: _account(state, name) for name in state.accounts},
        "orders": {
            f"{place} {order.spec.account_id} {order.source} {order.spec.side}": [
                order.state,
                str(order.quantity),
                str(order.filled),
                str(order.notional),
                str(order.limit_price),
                str(order.stop_price),
                order.rule,
            ]
            for place, order in enumerate(state.orders.values())
        },
        "fills": len(state.fills),
        "deployments": {
            name: [held.targets, held.orders, held.fills, held.refusals, held.deployment.paused]
            for name, held in state.deployments.items()
        },
    }


def _account(state: State, name: str) -> dict[str, Any]:
    account = state.accounts[name]
    return {
        "cash": {currency: str(amount) for currency, amount in account.cash.items()},
        "contributed": str(account.contributed),
        "day": account.day.isoformat(),
        "day_start_equity": str(account.day_start_equity),
        "growth": [account.growth.index, str(account.growth.base), account.growth.peak],
        "trades_today": account.trades_today,
        "readiness": [account.readiness, account.readiness_reason],
        "limits_version": account.limits_version,
        "working": len(account.working),
        "positions": {
            f"{key.book} {state.instruments[key.instrument_id].symbol}": [
                str(held.quantity),
                str(held.total_cost),
                str(held.realised),
                str(held.charges),
            ]
            for key, held in account.positions.items()
        },
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Write the journal of a release.")
    parser.add_argument("version", help="the release, e.g. 0.1.0")
    target = HERE / f"{parser.parse_args(arguments).version}.journal"
    if target.exists():
        print(f"{target.name} exists already: what a release wrote is not written again", file=sys.stderr)
        return 1
    world = life()
    target.write_bytes(msgspec.msgpack.encode(list(batches(world.records))))
    pinned = msgspec.json.format(msgspec.json.encode(figures(world.state)), indent=2)
    target.with_suffix(".json").write_bytes(pinned + b"\n")
    print(f"{target.name}: {len(world.records)} records")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
