"""The live switch, through a whole runner with a broker that trades for real: F24, I9.

Nothing of a live account leaves before it is switched on; off, only what reduces it does; attended, nothing waits here.
"""

import asyncio
from decimal import Decimal

import pytest
from msgspec.structs import replace

from evenkeel.desk.vault.ports import Secret
from evenkeel.desk.vault.safe import Safe
from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, AccountMode, Limits, Readiness
from evenkeel.domain.errors import Conflict, Forbidden
from evenkeel.domain.events import Noticed
from evenkeel.domain.live import OFF, Custody, LiveSwitched
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.records import AlertRaised
from evenkeel.trading.live.runner import Runner
from tests.desk.vault.memory import FIELDS, VALUES, safe
from tests.server.safekeeping import Acme, with_acme
from tests.trading.live.desk import ACCOUNT, BY, STOCK, MemoryJournal, buy, make_runner, market, opened

LIMITS = Limits(max_position_share=None, daily_loss=None)
LIVE = Account("real", "user", "Real", "acme", "USD", mode=AccountMode.LIVE, limits=LIMITS)


def switch(*, on: bool = True, custody: Custody = Custody.UNATTENDED, account: str = LIVE.id) -> c.SwitchLive:
    return c.SwitchLive(provenance=BY, account_id=account, on=on, custody=custody)


def order(name: str, kind: OrderKind = OrderKind.MARKET, **changes: object) -> c.SubmitOrder:
    spec = OrderSpec(LIVE.id, "manual", STOCK.id, Side.BUY, Decimal(10), kind, name)
    return c.SubmitOrder(provenance=BY, spec=replace(spec, **changes))


async def desk(
    found: Safe | None = None, journal: MemoryJournal | None = None, *, deterministic: bool = True
) -> tuple[Runner, Acme, Safe]:
    """A runner with a paper account, a live one that is off, and its broker; credentials are saved."""
    found = found or safe()
    await found.vault.create("user", "correct horse", kind=Secret.PASSWORD)
    await found.credentials.save("user", LIVE.id, VALUES, fields=FIELDS)
    runner = await opened(make_runner(journal or MemoryJournal(), with_acme(found), deterministic=deterministic))
    await runner.submit(c.OpenLiveAccount(provenance=BY, account=LIVE, cash=Decimal(100_000)))
    await runner.quiet()
    broker = runner.brokers["acme"]
    assert isinstance(broker, Acme)
    return runner, broker, found


async def placed(runner: Runner, command: c.SubmitOrder) -> OrderState:
    outcome = await runner.submit(command)
    await runner.quiet()
    return runner.state.orders[outcome.id].state


def reason(runner: Runner, name: str) -> str:
    found = runner.state.orders[runner.state.client_ids[LIVE.id, name]]
    return f"{found.rule}: {found.reason}"


async def test_a_live_account_is_opened_off_and_nothing_of_it_reaches_its_broker() -> None:
    runner, broker, _ = await desk()
    held = runner.state.account(LIVE.id)
    assert (held.is_off, held.custody, held.readiness) == (True, None, Readiness.NOT_READY)
    assert await placed(runner, order("one")) is OrderState.REFUSED
    assert OFF in reason(runner, "one")
    assert (broker.seen, broker.placed) == ([], [])
    with pytest.raises(Forbidden, match="live trading of Real is off"):
        runner.dispatcher.handle_of(LIVE.id)
    await runner.stop()


async def test_switched_on_it_is_reconciled_with_its_credentials_and_trades() -> None:
    journal = MemoryJournal()
    runner, broker, _ = await desk(journal=journal)
    await runner.submit(switch())
    await runner.quiet()
    assert runner.state.account(LIVE.id).readiness is Readiness.READY
    assert broker.seen == [VALUES]
    assert (await placed(runner, order("one"))).is_working
    assert len(broker.placed) == 1
    records = journal.records()
    switched = [one for one in records if isinstance(one, LiveSwitched)]
    assert [(one.account_id, one.on, one.custody, one.provenance) for one in switched] == [
        (LIVE.id, True, Custody.UNATTENDED, BY)
    ]
    assert any(isinstance(one, AlertRaised) and one.kind == "live-switch" for one in records)
    assert not any(secret in repr(records) for secret in VALUES.values())
    await runner.stop()


async def test_what_is_asked_twice_is_recorded_once_and_custody_may_change() -> None:
    journal = MemoryJournal()
    runner, _, _ = await desk(journal=journal)
    for custody in (Custody.UNATTENDED, Custody.UNATTENDED, Custody.ATTENDED):
        await runner.submit(switch(custody=custody))
    found = [one.custody for one in journal.records() if isinstance(one, LiveSwitched)]
    assert found == [Custody.UNATTENDED, Custody.ATTENDED]
    await runner.stop()


async def test_switched_off_it_takes_no_new_risk_and_can_still_be_wound_down() -> None:
    runner, broker, _ = await desk()
    await runner.submit(switch())
    await runner.quiet()
    outcome = await runner.submit(order("one", OrderKind.LIMIT, limit_price=Decimal(9)))
    await runner.quiet()
    await runner.submit(switch(on=False))
    assert await placed(runner, order("two")) is OrderState.REFUSED
    calls = len(broker.seen)
    await runner.submit(c.CancelOrder(provenance=BY, order_id=outcome.id))
    await runner.quiet()
    assert len(broker.seen) == calls + 1
    assert len(broker.placed) == 1
    await runner.stop()


async def test_a_restart_does_not_switch_anything() -> None:
    for on in (True, False):
        store, journal = safe(), MemoryJournal()
        runner, _, _ = await desk(store, journal)
        await runner.submit(switch())
        if not on:
            await runner.submit(switch(on=False))
        await runner.quiet()
        kept = MemoryJournal(journal.batches)
        await runner.stop()
        again = make_runner(kept, with_acme(store))
        await again.start(run="test", version="0")
        await again.quiet()
        assert again.state.account(LIVE.id).is_off is not on
        await again.post_all([market(1)])
        assert (await placed(again, order("after"))).is_working is on
        await again.stop()


async def test_paper_is_never_switched_and_live_never_where_nothing_is_real() -> None:
    runner, _, _ = await desk()
    with pytest.raises(Conflict, match="stays one"):
        await runner.submit(switch(account=ACCOUNT.id))
    simulated = replace(LIVE, id="other", name="Other", broker="simulated")
    for wrong in (simulated, replace(LIVE, id="other", name="Other", broker="nowhere")):
        with pytest.raises(Forbidden, match="cannot trade live"):
            await runner.submit(c.OpenLiveAccount(provenance=BY, account=wrong, cash=Decimal(1)))
    for wrong in (ACCOUNT, replace(LIVE, mode=AccountMode.WALKFORWARD)):
        with pytest.raises(Forbidden, match="whose fills are real"):
            await runner.submit(
                c.OpenLiveAccount(provenance=BY, account=replace(wrong, id="x", name="X"), cash=Decimal(1))
            )
    await runner.stop()


async def test_without_its_adapter_a_live_account_cannot_be_switched_on_again() -> None:
    store, journal = safe(), MemoryJournal()
    runner, _, _ = await desk(store, journal)
    kept = MemoryJournal(journal.batches)
    await runner.stop()
    again = make_runner(kept)
    await again.start(run="test", version="0")
    with pytest.raises(Forbidden, match="cannot trade live") as refused:
        await again.submit(switch())
    assert "every broker of this desk is simulated" in (refused.value.hint or "")
    await again.stop()


async def test_attended_and_locked_nothing_leaves_until_the_vault_is_open() -> None:
    store, journal = safe(), MemoryJournal()
    runner, _, _ = await desk(store, journal, deterministic=False)
    await runner.submit(switch(custody=Custody.ATTENDED))
    await runner.answered()
    kept = MemoryJournal(journal.batches)
    await runner.stop()
    store.vault.lock("user")
    again = make_runner(kept, with_acme(store), deterministic=False)
    await again.start(run="test", version="0")
    await again.answered()
    await again.post_all([market(1)])
    held = again.state.account(LIVE.id)
    assert held.readiness is Readiness.NOT_READY
    assert await placed_soon(again, order("locked")) is OrderState.REFUSED
    assert "vault" in reason(again, "locked")
    assert await placed_soon(again, buy("paper")) is not OrderState.REFUSED
    await store.vault.unlock("user", "correct horse")
    async with asyncio.timeout(10):
        while again.state.account(LIVE.id).readiness is not Readiness.READY:  # noqa: ASYNC110 - the runner's own timer
            await asyncio.sleep(0.02)
    assert await placed_soon(again, order("open")) is not OrderState.REFUSED
    await again.stop()


async def placed_soon(runner: Runner, command: c.SubmitOrder) -> OrderState:
    outcome = await runner.submit(command)
    return runner.state.orders[outcome.id].state


@pytest.mark.parametrize("custody", Custody)
async def test_an_attended_account_refuses_what_would_wait_here(custody: Custody) -> None:
    """Its broker takes no stops, so the engine would hold them: after a restart nobody could send them."""
    runner, _, _ = await desk()
    await runner.submit(switch(custody=custody))
    await runner.quiet()
    state = await placed(runner, order("stop", OrderKind.STOP, stop_price=Decimal(12)))
    if custody is Custody.UNATTENDED:
        assert state is OrderState.HELD
    else:
        assert state is OrderState.REFUSED
        assert "attended" in reason(runner, "stop")
        assert "would not work after a restart" in reason(runner, "stop")
    assert (await placed(runner, order("limit", OrderKind.LIMIT, limit_price=Decimal(9)))).is_working
    await runner.stop()


async def test_a_notice_becomes_an_alert_and_changes_nothing() -> None:
    runner, _, _ = await desk()
    before = runner.state.seq
    await runner.post_all([Noticed("critical", "backup-failed", "the disk is full")])
    assert runner.state.seq == before + 1
    await runner.stop()
