"""Whoever has changed something finds it in the histories they read next; nobody else waits, and nobody for long."""

import httpx
import pytest

from evenkeel.server import answered as answered_module
from evenkeel.server.answered import LONGEST, Answered
from evenkeel.server.app import rebind
from tests.server.world import OWN_ACCOUNT, JournalHistory, World

_CASH = f"/api/v2/accounts/{OWN_ACCOUNT}/cash"
_LEDGER = f"/api/v2/accounts/{OWN_ACCOUNT}/ledger"


class Behind:
    """Projections that were asked for positions."""

    def __init__(self, *, there: bool = True) -> None:
        self.there, self.asked = there, list[tuple[int, float]]()

    async def passed(self, seq: int, *, within: float) -> bool:
        self.asked.append((seq, within))
        return self.there


class HistoryBehind(Behind, JournalHistory):
    def __init__(self, history: JournalHistory) -> None:
        Behind.__init__(self)
        JournalHistory.__init__(self, history.journal)


async def test_a_person_waits_for_the_last_of_their_own_changes_once() -> None:
    answered, there = Answered(), Behind()
    await answered.wait("ann", there)
    assert there.asked == []
    answered.note("ann", 5)
    answered.note("ann", 7)
    await answered.wait("bob", there)
    assert there.asked == []
    await answered.wait("ann", there)
    await answered.wait("ann", there)
    assert there.asked == [(7, LONGEST)]


async def test_what_was_waited_for_in_vain_is_asked_for_again() -> None:
    answered, behind = Answered(), Behind(there=False)
    answered.note("ann", 7)
    await answered.wait("ann", behind)
    await answered.wait("ann", behind)
    assert [seq for seq, _ in behind.asked] == [7, 7]
    answered.forget()
    await answered.wait("ann", behind)
    assert len(behind.asked) == 2


async def test_a_change_made_during_a_wait_is_not_forgotten() -> None:
    answered = Answered()

    class Meanwhile(Behind):
        async def passed(self, seq: int, *, within: float) -> bool:
            answered.note("ann", seq + 1)
            return await super().passed(seq, within=within)

    answered.note("ann", 1)
    await answered.wait("ann", Meanwhile())
    last = Behind()
    await answered.wait("ann", last)
    assert last.asked == [(2, LONGEST)]


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answered_module, "_MOST", 2)
    answered, there = Answered(), Behind()
    for seq, name in enumerate(("ann", "bob", "cem"), 1):
        answered.note(name, seq)
    for name in ("ann", "bob", "cem"):
        await answered.wait(name, there)
    assert [seq for seq, _ in there.asked] == [2, 3]


async def test_a_history_is_read_once_it_holds_what_its_reader_did(desk: World, owner: httpx.AsyncClient) -> None:
    history = desk.parts.history = HistoryBehind(desk.history)
    assert (await owner.get(_LEDGER)).status_code == 200
    assert history.asked == [], "nothing was changed yet"
    assert (await owner.post(_CASH, json={"kind": "deposit", "amount": "1.25"})).status_code == 201
    committed = desk.runner.committed_seq
    async with await desk.signed_in(desk.other) as other:
        await other.get("/api/v2/portfolio/transactions")
    await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}")
    assert history.asked == [], "others do not wait, nor what is live"
    rows = (await owner.get(_LEDGER)).json()["items"]
    assert (rows[0]["amount"], history.asked) == ("1.25", [(committed, LONGEST)])
    await owner.get(_LEDGER)
    assert len(history.asked) == 1


async def test_histories_that_do_not_come_are_shown_as_they_are(desk: World, owner: httpx.AsyncClient) -> None:
    history = desk.parts.history = HistoryBehind(desk.history)
    history.there = False
    await owner.post(_CASH, json={"kind": "deposit", "amount": "1.25"})
    assert (await owner.get(_LEDGER)).status_code == 200
    assert len(history.asked) == 1


async def test_what_was_done_in_another_journal_is_not_waited_for(desk: World, owner: httpx.AsyncClient) -> None:
    """As after a demo has started over, whose records are counted anew."""
    await owner.post(_CASH, json={"kind": "deposit", "amount": "1.25"})
    await rebind(desk.app)
    history = desk.parts.history = HistoryBehind(desk.history)
    await owner.get(_LEDGER)
    assert history.asked == []


async def test_an_order_counts_as_every_other_change(desk: World, owner: httpx.AsyncClient) -> None:
    history = desk.parts.history = HistoryBehind(desk.history)
    body = {"account_id": OWN_ACCOUNT, "symbol": "STK", "side": "BUY", "quantity": "1"}
    assert (await owner.post("/api/v2/trading/orders", json=body)).status_code == 201
    await owner.get("/api/v2/portfolio/transactions")
    assert len(history.asked) == 1
