"""Every sizing × everything that may befall a master, as a table: what its follower has in the end."""

from datetime import time
from typing import Any

import pytest

from evenkeel.domain import copying as d
from evenkeel.domain.limits import Window
from tests.scenarios.copy_stories import CopyDesk, Story, link
from tests.trading.engine.world import ACME, BOLT, D

_NIGHT = (time(1), time(2), "America/New_York")
BARS = "bar 100 100 100 100; bar 100 100 100 100"
SIZINGS: dict[str, d.CopySizing] = {
    "equal": d.Equal(),
    "fixed 30": d.Fixed(D(30)),
    "a quarter": d.Multiplier(D("0.25")),
    "by equity": d.ByEquity(),
    "by free margin": d.ByFreeMargin(),
    "by volatility": d.ByVolatility(0.2),
}
"""The follower has half of the master's equity, and the stock moves by 40 % a year."""


def row(what: str, mode: str, steps: str, *has: str) -> tuple[str, str, str, tuple[str, ...]]:
    assert len(has) == len(SIZINGS)
    return what, mode, steps.replace("BARS", BARS), has


# what befalls the master, what the link copies, the story, and what the follower has: one for each sizing
TABLE = (
    row("it buys", "fills", "buy 100; BARS",
        "100", "30", "25", "50", "50", "25"),
    row("it sells short", "fills", "sell 100; BARS",
        "-100", "-30", "-25", "-50", "-50", "-25"),
    row("it adds", "fills", "buy 100; BARS; buy 60; BARS",
        "160", "60", "40", "80", "80", "40"),
    row("its order fills in parts", "fills",
        "buy 100 limit 101; bar 100 100 100 100 300; bar 100 100 100 100 250; bar 100 100 100 100 1000; BARS",
        "95, of 100", "30", "25", "50", "51, of 51.657201", "25"),
    row("it reduces", "fills", "buy 100; BARS; sell 40; BARS",
        "60", "18", "15", "30", "30", "15"),
    row("it closes", "fills", "buy 100; BARS; sell 100; BARS",
        "0", "0", "0", "0", "0", "0"),
    row("it turns from long to short", "fills", "buy 100; BARS; sell 200; BARS",
        "-100", "-15", "-25", "-50", "-45", "-25"),
    row("the venue takes its entry back", "fills", "buy 100; BARS; bust; BARS",
        "0", "0", "0", "0", "0", "0"),
    row("the venue takes its exit back", "fills", "buy 100; BARS; sell 40; BARS; bust; BARS",
        "60, of 100", "18, of 30", "15, of 25", "30, of 50", "30, of 50", "15, of 25"),
    row("its stock splits", "fills", "buy 100; BARS; split 2:1; bar 50 50 50 50",
        "200", "60", "50", "100", "100", "50"),
    row("it closes half after a split", "fills",
        "buy 100; BARS; split 2:1; bar 50 50 50 50; sell 100; bar 50 50 50 50; bar 50 50 50 50",
        "100", "30", "25", "50", "50", "25"),
    row("it adds and reduces while paused", "fills", "buy 100; BARS; pause; buy 60; BARS; sell 80; BARS",
        "80", "30", "20", "40", "40", "20"),
    row("its fill is read too late", "fills", "wait 60; buy 100; BARS; wait 0; sell 50; BARS",
        "0, of 50", "0, of 15", "0, of 12.5", "0, of 25", "0, of 25", "0, of 12.5"),
    row("it rests a limit", "orders", "buy 100 limit 90",
        "0, buy 100 limit 90", "0, buy 30 limit 90", "0, buy 25 limit 90",
        "0, buy 50 limit 90", "0, buy 50 limit 90", "0, buy 25 limit 90"),
    row("its limit fills", "orders", "buy 100 limit 90; bar 100 100 89 95",
        "100", "30", "25", "50", "50", "25"),
    row("it asks at the market", "orders", "buy 100; BARS",
        "100", "30", "25", "50", "50, of 50.05005", "25"),
    row("it changes size and price", "orders", "buy 100 limit 90; change quantity=60 limit_price=91",
        "0, buy 60 limit 91", "0, buy 18 limit 91", "0, buy 15 limit 91",
        "0, buy 30 limit 91", "0, buy 30 limit 91", "0, buy 15 limit 91"),
    row("it cancels", "orders", "buy 100 limit 90; cancel",
        "0", "0", "0", "0", "0", "0"),
    row("it rests a stop", "orders", "buy 100; BARS; sell 100 stop 90",
        "100, sell 100 stop 90", "30, sell 30 stop 90", "25, sell 25 stop 90",
        "50, sell 50 stop 90", "50, of 50.05005, sell 50 stop 90", "25, sell 25 stop 90"),
    row("it moves its stop", "orders", "buy 100; BARS; sell 100 stop 90; change stop_price=95",
        "100, sell 100 stop 95", "30, sell 30 stop 95", "25, sell 25 stop 95",
        "50, sell 50 stop 95", "50, of 50.05005, sell 50 stop 95", "25, sell 25 stop 95"),
    row("its stop is hit", "orders", "buy 100; BARS; sell 100 stop 90; bar 100 100 85 88",
        "0", "0", "0", "0", "0", "0"),
    row("its stop trails", "orders", "buy 100; BARS; sell 100 trail 5; bar 100 110 100 110; bar 110 110 109 109",
        "100, sell 100 stop 105", "30, sell 30 stop 105", "25, sell 25 stop 105",
        "50, sell 50 stop 105", "50, of 50.05005, sell 50 stop 105", "25, sell 25 stop 105"),
    row("it sells a part", "orders", "buy 100; BARS; sell 40; BARS",
        "60", "18", "15", "30", "30, of 30.03003", "15"),
    row("it sells twice what it has", "orders", "buy 100; BARS; sell 200; BARS",
        "-100", "-15", "-25", "-50", "-45", "-25"),
    row("it enters with exits", "orders", "bracket 100 stop 90 target 120; BARS",
        "100", "30", "25", "50", "50, of 50.05005", "25"),
    row("its exit is hit", "orders",
        "bracket 100 stop 90 target 120; BARS; bar 100 100 85 88; bar 88 88 88 88; bar 88 88 88 88",
        "0", "0", "0", "0", "0", "0"),
    row("its target is hit", "fills",
        "bracket 100 stop 90 target 120; BARS; bar 100 122 100 121; bar 121 121 121 121; bar 121 121 121 121",
        "0", "0", "0", "0", "0", "0"),
    row("its limit fills in part", "orders", "buy 100 limit 95; bar 100 100 94 95 300; bar 95 95 95 95 300",
        "60, buy 40 limit 95", "30, of 18", "25, of 15", "50, of 30", "50, of 30", "25, of 15"),
    row("its stock splits under a limit", "orders", "buy 100 limit 90; split 2:1",
        "0, buy 200 limit 45", "0, buy 60 limit 45", "0, buy 50 limit 45",
        "0, buy 100 limit 45", "0, buy 100 limit 45", "0, buy 50 limit 45"),
    row("it is resynced", "fills", "wait 60; buy 100; BARS; resync 0.5; BARS",
        "50", "50", "50", "50", "50", "50"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _moving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CopyDesk, "volatility", {ACME.id: 0.4})


@pytest.mark.parametrize(
    ("mode", "steps", "sizing", "has"),
    [
        pytest.param(mode, steps, sizing, has, id=f"{what}, {mode}, {name}")
        for what, mode, steps, all_of_it in TABLE
        for (name, sizing), has in zip(SIZINGS.items(), all_of_it, strict=True)
    ],
)
def test_every_size_of_every_event(mode: str, steps: str, sizing: d.CopySizing, has: str) -> None:
    story = Story(link(mode, terms=d.CopyTerms(sizing)), equity="50000")
    assert story.tell(steps) == has


FILLS: tuple[tuple[str, dict[str, Any], str], ...] = (
    # what the link is like, what happens
    ("a small account does not drift: a tenth of 4, 4, 4 is 0, 0, 1 and the rest is carried",
     {"terms": d.CopyTerms(d.Multiplier(D("0.1")))},
     ("buy 4; BARS; holds 0; skips less than a lot of 1: 0.4 is carried; buy 4; BARS; holds 0; buy 4; BARS; holds 1;"
     "buy 8; BARS; holds 2; sell 20; BARS; holds 0; wants 0")),
    ("what the master held before is not copied, and what closes that closes nothing",
     {"before": ("buy 100", "bar 100 100 100 100")},
     "sell 40; BARS; holds 0; buy 40; BARS; holds 40; sell 50; BARS; holds 20; sell 50; BARS; holds 0"),
    ("risk multiplies every size", {"terms": d.CopyTerms(d.Equal(), risk=D("0.5"))}, "buy 100; BARS; holds 50"),
    ("only longs are opened", {"filter": d.CopyFilter(side=d.CopySide.LONG)},
     "sell 100; BARS; holds 0; skips the link opens no shorts; buy 200; BARS; holds 100; sell 300; BARS; holds 0"),
    ("only shorts are opened", {"filter": d.CopyFilter(side=d.CopySide.SHORT)},
     "buy 100; BARS; holds 0; skips the link opens no longs; sell 200; BARS; holds -100"),
    ("only during its hours", {"filter": d.CopyFilter(windows=(Window(*_NIGHT),))},
     "buy 100; BARS; holds 0; skips outside the link's hours"),
    ("another instrument is left alone", {"filter": d.CopyFilter(instrument_ids=(BOLT.id,))}, "buy 100; BARS; holds 0"),
    ("another book is left alone", {"filter": d.CopyFilter(books=("trend",))}, "buy 100; BARS; holds 0"),
    ("what has run away is not chased", {"terms": d.CopyTerms(max_slippage=D("0.01"))},
     ("buy 100; bar 100 104 100 104; bar 104 104 104 104; holds 0; skips the last price 104 is beyond 101;"
     "sell 100; bar 104 104 104 104; holds 0")),
    ("what has not is taken within its bound", {"terms": d.CopyTerms(max_slippage=D("0.01"))},
     "buy 100; bar 100 100 100 100; works buy 100 limit 101; bar 100.5 100.5 100.5 100.5; holds 100"),
    ("a bound that the market leaves is not filled", {"terms": d.CopyTerms(max_slippage=D("0.01"))},
     ("buy 100; bar 100 100 100 100; works buy 100 limit 101; bar 102 102 102 102; works; holds 0; sell 100;"
     "bar 102 102 102 102; bar 102 102 102 102; holds 0")),
    ("closing is bound by nothing", {"terms": d.CopyTerms(max_slippage=D("0.01"))},
     "buy 100; BARS; holds 100; sell 100; bar 90 90 90 90; bar 70 70 70 70; holds 0"),
    ("what was missed is not made up for by what comes after",
     {}, ("wait 60; buy 100; BARS; holds 0; skips 60.0 s old; wait 0; buy 50; BARS; holds 50; sell 30; BARS; holds 50;"
     "sell 80; BARS; holds 40; sell 40; BARS; holds 0")),
    ("what was missed is closed for, however old", {}, "buy 100; BARS; wait 600; sell 100; BARS; holds 0"),
    ("a follower that is not ready opens nothing, and closes what it has", {},
     ("buy 100; BARS; refuse; buy 50; BARS; holds 100; skips refused by account-ready; sell 75; BARS; holds 75; ready;"
     "sell 75; BARS; holds 0")),
    ("a paused link is brought up by a resync", {},
     ("pause; buy 100; BARS; holds 0; skips the link is paused; resume; buy 10; BARS; holds 10; resync; BARS;"
     " holds 110; wants 110")),
    ("a resync closes, too", {}, "buy 100; BARS; resync 0.25; BARS; holds 25; resync 0; BARS; holds 0"),
    ("a removed link does nothing more, and keeps what it has", {},
     "buy 100; BARS; remove; sell 100; BARS; holds 100"),
    ("a split of the master's stock leaves another symbol alone",
     {"symbols": {ACME.id: d.SymbolRule(BOLT.id)}, "of": BOLT},
     "buy 100; BARS; split 2:1; holds 100; wants 100; ready; sell 100; bar 50 50 50 50; bar 50 50 50 50; holds 50"),
    ("a split of the other symbol is no reason to sell it",
     {"symbols": {ACME.id: d.SymbolRule(BOLT.id)}, "of": BOLT},
     "buy 100; BARS; split 2:1 BOLT; holds 200; wants 200; ready; BARS; holds 200; sell 50; BARS; holds 100"),
    ("a crash doubles nothing", {},
     "buy 100; crash; BARS; crash; BARS; holds 100; sell 50; crash; BARS; crash; holds 50"),
)  # fmt: skip
ORDERS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("what the master does to a copied order is done to the copy", {},
     ("buy 100 limit 90; works buy 100 limit 90; change limit_price=91; works buy 100 limit 91; change quantity=40;"
     "works buy 40 limit 91; cancel; works")),
    ("a refused order is not copied", {}, "buy 100 limit 90.001; works"),
    ("an exit follows by its fill", {},
     ("bracket 100 stop 90 target 120; BARS; holds 100; works; bar 100 100 85 88; bar 88 88 88 88; bar 88 88 88 88;"
     "holds 0")),
    ("prices and sizes are those of the other symbol",
     {"symbols": {ACME.id: d.SymbolRule(BOLT.id, D("0.1"), D(10))}, "of": BOLT},
     "buy 100 limit 90; works buy 10 limit 900; change limit_price=91; works buy 10 limit 910"),
    ("the market is bound by the last price", {"terms": d.CopyTerms(max_slippage=D("0.02"))},
     "buy 100; works buy 100 limit 102"),
    ("an order to close takes the same part", {"terms": d.CopyTerms(d.Multiplier(D("0.5")))},
     ("buy 100; BARS; holds 50; sell 25 limit 110; works sell 12 limit 110; cancel; sell 100 limit 110;"
     "works sell 50 limit 110")),
    ("a paused link opens nothing, and follows what closes", {},
     ("buy 100; BARS; pause; buy 50; BARS; holds 100; skips the order behind this fill has no copy; sell 150;"
     "BARS; holds 0")),
    ("a crash doubles nothing", {}, ("buy 100 limit 90; crash; works buy 100 limit 90; change limit_price=91; crash;"
     "works buy 100 limit 91; bar 100 100 89 90; crash; holds 100")),
)  # fmt: skip


@pytest.mark.parametrize(("like", "steps"), [pytest.param(*case[1:], id=case[0]) for case in FILLS])
def test_a_link_that_copies_fills(like: dict[str, Any], steps: str) -> None:
    _told("fills", like, steps)


@pytest.mark.parametrize(("like", "steps"), [pytest.param(*case[1:], id=case[0]) for case in ORDERS])
def test_a_link_that_copies_orders(like: dict[str, Any], steps: str) -> None:
    _told("orders", like, steps)


def _told(mode: str, like: dict[str, Any], steps: str) -> None:
    more = {name: like[name] for name in ("before", "of", "equity", "limits") if name in like}
    terms = {name: value for name, value in like.items() if name not in more}
    Story(link(mode, **terms), **more).tell(steps.replace("BARS", BARS))
