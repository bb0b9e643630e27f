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
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Financing, LedgerKind, Limits
from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import Dividend, MarketSlice
from evenkeel.domain.orders import OrderKind, Side, TimeInForce
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.strategies import Protection
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
    return world


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
