"""Records in words: each kind that people should hear of, and silence about the rest."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from evenkeel.domain import records as r
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import iso
from evenkeel.domain.marketdata import Split
from evenkeel.domain.orders import OrderEvent, OrderKind, OrderState
from evenkeel.domain.positions import PositionKey
from evenkeel.server.streams.lines import EventLog, line
from evenkeel.trading.engine.state import State
from tests.server.world import DEPLOYMENT, OWN_ACCOUNT, START, STOCK, World, order


@pytest.fixture
def state(desk: World) -> State:
    return desk.runner.state


def said(state: State, record: r.AnyRecord) -> str | None:
    event = line(state, record, 1)
    return event.message if event is not None else None


async def placed(desk: World, **changes: Any) -> str:
    async with await desk.signed_in() as client:
        answer = await client.post("/api/v2/trading/orders", json=order(**changes))
        found: str = answer.json()["id"]
        return found


@pytest.mark.parametrize(
    ("state_after", "kind", "message"),
    [
        (OrderState.CANCELLED, "order-cancelled", "Main: BUY 10 STK at limit 5.5 cancelled: you asked"),
        (OrderState.EXPIRED, "order-expired", "Main: BUY 10 STK at limit 5.5 expired: you asked"),
        (OrderState.REJECTED, "order-rejected", "Main: BUY 10 STK at limit 5.5 rejected by the broker: you asked"),
        (OrderState.ACCEPTED, None, None),
        (OrderState.CANCEL_PENDING, None, None),
    ],
)
async def test_the_end_of_an_order(desk: World, state_after: OrderState, kind: str | None, message: str | None) -> None:
    order_id = await placed(desk, kind="LIMIT", limit_price="5.5")
    moved = r.OrderMoved(at=START, order_id=order_id, event=OrderEvent.CANCEL, state=state_after, reason="you asked")
    event = line(desk.runner.state, moved, 1)
    assert (event.kind if event else None, event.message if event else None) == (kind, message)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OrderKind.MARKET, "BUY 9000 STK refused"),
        (OrderKind.LIMIT, "BUY 9000 STK at limit 11 refused"),
        (OrderKind.STOP, "BUY 9000 STK at stop 12 refused"),
        (OrderKind.STOP_LIMIT, "BUY 9000 STK at stop 12 limit 11 refused"),
    ],
)
async def test_a_refusal_repeats_what_was_asked(desk: World, kind: OrderKind, words: str) -> None:
    limit = "11" if kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT) else None
    stop = "12" if kind in (OrderKind.STOP, OrderKind.STOP_LIMIT) else None
    await placed(desk, quantity="9000", kind=kind, limit_price=limit, stop_price=stop)
    assert words in desk.app.state.hub.log.events[-1].message


def test_splits_days_switches_and_corrections(state: State) -> None:
    split = Split(STOCK.id, date(2005, 9, 2), Decimal(2), Decimal(1))
    assert said(state, r.SplitApplied(at=START, split=split, positions=(), orders=())) == (
        "STK split 2 for 1: no position held"
    )
    closed = r.DayClosed(
        at=START, id="d", account_id=OWN_ACCOUNT, session_date=date(2005, 9, 1), cash=Decimal(0),
        equity=Decimal("100000.5"), marks={},
    )  # fmt: skip
    assert said(state, closed) == "Main: 2005-09-01 closed with equity 100,000.50 USD"
    provenance = next(iter(_provenances(state)))
    off = msgspec.structs.replace(state.deployments[DEPLOYMENT].deployment, enabled=False)
    assert said(state, r.DeploymentChanged(at=START, deployment=off, provenance=provenance)) == "Crossing is off"
    paused = msgspec.structs.replace(off, enabled=True, paused="a fault")
    assert said(state, r.DeploymentChanged(at=START, deployment=paused, provenance=provenance)) is None, (
        "its alert says it"
    )
    key = PositionKey(OWN_ACCOUNT, "unassigned", STOCK.id)
    wrong = r.PositionCorrected(
        at=START, id="c", key=key, quantity=Decimal(-3), price=Decimal(10), reason="the broker holds less"
    )
    assert said(state, wrong) == "Main: STK corrected by -3: the broker holds less"


def _provenances(state: State) -> Iterator[Any]:
    from tests.trading.live.desk import BY

    yield BY


def test_readiness_is_a_warning_until_ready(state: State) -> None:
    for readiness, level in (
        (Readiness.NOT_READY, "warning"),
        (Readiness.BLOCKED, "warning"),
        (Readiness.READY, "info"),
    ):
        event = line(state, r.ReadinessChanged(at=START, account_id=OWN_ACCOUNT, readiness=readiness, reason="why"), 1)
        assert event is not None
        assert event.level == level
        assert "why" in event.message


def test_the_end_of_a_feed_is_told(state: State) -> None:
    told = said(state, r.CursorMoved(at=START, cursor=START, ended=True))
    assert told == f"The feed has ended: it has no prices after {iso(START)}"


def test_bookkeeping_is_silent(state: State) -> None:
    assert said(state, r.CursorMoved(at=START, cursor=1)) is None
    assert said(state, r.AccountReconciled(at=START, account_id=OWN_ACCOUNT)) is None
    assert said(state, r.RunStarted(at=START, run="x", version="1")) is None


def test_the_log_keeps_the_newest_and_its_numbers() -> None:
    log = EventLog()
    for number in range(EventLog.MOST + 1):
        log.add(number)  # type: ignore[arg-type]
    assert log.first == EventLog.DROPPED
    assert log.events[0] == log.first
    assert len(log.events) == EventLog.MOST + 1 - EventLog.DROPPED


async def test_what_nobody_has_read_is_put_in_words_when_somebody_does(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/trading/orders", json=order("one"))
    await desk.next_bar()
    records, state = desk.journal.records(), desk.runner.state
    plain = [event for seq, record in enumerate(records, 1) if (event := line(state, record, seq)) is not None]
    log = EventLog(lambda: state)
    for seq, record in enumerate(records, 1):
        log.note(record, seq)
    assert log.events == plain
    fill = next(record for record in records if isinstance(record, r.FillBooked))
    for number in range(EventLog.MOST):
        log.note(fill, number)
    assert log.first == EventLog.DROPPED
    assert len(log.events) == EventLog.MOST + len(plain) - EventLog.DROPPED
