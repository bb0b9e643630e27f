"""Every kind of order, for every time in force: what fills, ends, changes or breaks it, and what must come out.

Each block of the table is one order. Below the name of what happens and the story stands what becomes of the order by
its time in force, in the columns DAY, GTC, IOC, FOK, GTD and BAR: first at a venue that takes stops and every time but
GTD, then, where that differs, at one that takes neither stops nor DAY and BAR. `order_stories` says how a story reads.
"""

from collections.abc import Iterator

import pytest

from evenkeel.domain.orders import OrderKind, TimeInForce
from tests.scenarios.order_stories import BARE, FULL, Story

TIMES = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD, TimeInForce.BAR)
TABLE = """
market | sell 100
  fill: bar 48 49 47 48
    100 at 48 | 100 at 48 | 100 at 48 | 100 at 48 | 100 at 48 | 100 at 48
  partial: bar 48 49 47 48 600; bar 47 48 46 47
    expired, 60 at 48 | 100 at 47.6 | cancelled, 60 at 48 | cancelled | 100 at 47.6 | expired, 60 at 48
    expired, 60 at 48 | 100 at 47.6 | cancelled, 60 at 48 | cancelled | 100 at 47.6 | cancelled, 60 at 48
  cancel: cancel
    cancelled | cancelled | cancelled | cancelled | cancelled | cancelled
  modify: change quantity=60; bar 48 49 47 48
    60 at 48 | 60 at 48 | 60 at 48 | 60 at 48 | 60 at 48 | 60 at 48
  reject: unlist; ask; list; bar 48 49 47 48
    rejected | rejected | rejected | rejected | rejected | rejected
  expire: bar 48 49 47 48 5; bar 47 48 46 47 5; bar 46 47 45 46 5
    expired | accepted | cancelled | cancelled | expired | expired
    expired | accepted | cancelled | cancelled | expired | cancelled
  disconnect: cut; bar 48 49 47 48; back
    100 at 48 | 100 at 48 | 100 at 48 | 100 at 48 | 100 at 48 | 100 at 48
  crash: crash; bar 48 49 47 48
    100 at 48 | 100 at 48 | 100 at 48 | 100 at 48 | 100 at 48 | 100 at 48

limit | sell 100 limit 52
  fill: bar 50 53 49 50
    100 at 52 | 100 at 52 | 100 at 52 | 100 at 52 | 100 at 52 | 100 at 52
  partial: bar 50 53 49 50 600; bar 50 53 49 50 600
    expired, 60 at 52 | 100 at 52 | cancelled, 60 at 52 | cancelled | 100 at 52 | expired, 60 at 52
    expired, 60 at 52 | 100 at 52 | cancelled, 60 at 52 | cancelled | 100 at 52 | cancelled, 60 at 52
  cancel: bar 50 51 49 50; cancel; bar 53 53 53 53
    expired | cancelled | cancelled | cancelled | cancelled | expired
    cancelled | cancelled | cancelled | cancelled | cancelled | cancelled
  reject: unlist; ask; bar 48 49 44 46; list; bar 46 47 45 46
    rejected | rejected | rejected | rejected | rejected | rejected
  modify: change limit_price=51; bar 50 51 49 50
    100 at 51 | 100 at 51 | 100 at 51 | 100 at 51 | 100 at 51 | 100 at 51
  expire: bar 50 51 49 50; bar 50 51 49 50; bar 50 51 49 50; bar 50 53 49 50
    expired | 100 at 52 | cancelled | cancelled | expired | expired
    expired | 100 at 52 | cancelled | cancelled | expired | cancelled
  disconnect: cut; bar 50 53 49 50; back
    100 at 52 | 100 at 52 | 100 at 52 | 100 at 52 | 100 at 52 | 100 at 52
  crash: crash; bar 50 53 49 50
    100 at 52 | 100 at 52 | 100 at 52 | 100 at 52 | 100 at 52 | 100 at 52

stop | sell 100 stop 45
  fill: bar 48 49 44 46; bar 47 48 46 47
    100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  gap: bar 40 42 39 41; bar 43 44 42 43
    100 at 40 | 100 at 40 | 100 at 40 | 100 at 40 | 100 at 40 | 100 at 40
    100 at 43 | 100 at 43 | 100 at 43 | 100 at 43 | 100 at 43 | refused
  partial: bar 48 49 44 46 600; bar 46 47 44 45 600; bar 45 46 44 45 600
    expired, 60 at 45 | 100 at 45.4 | cancelled, 60 at 45 | cancelled | 100 at 45.4 | expired, 60 at 45
    expired, 60 at 46 | 100 at 45.6 | cancelled, 60 at 46 | cancelled | expired, 60 at 46 | refused
  cancel: bar 48 49 47 48; cancel; bar 44 44 44 44
    expired | cancelled | cancelled | cancelled | cancelled | expired
    cancelled | cancelled | cancelled | cancelled | cancelled | refused
  reject: unlist; ask; bar 48 49 44 46; list; bar 46 47 45 46
    rejected | rejected | rejected | rejected | rejected | rejected
    rejected | rejected | rejected | rejected | rejected | refused
  modify: change stop_price=47; bar 48 49 46 48; bar 47 47 47 47
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  expire: bar 48 49 47 48; bar 48 49 47 48; bar 48 49 47 48; bar 44 44 44 44; bar 43 43 43 43
    expired | 100 at 44 | cancelled | cancelled | expired | expired
    expired | 100 at 43 | 100 at 43 | 100 at 43 | expired | refused
  disconnect: cut; bar 48 49 44 46; bar 46 47 45 46; back; bar 47 47 47 47
    100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  crash: bar 48 49 44 46 crash; bar 47 48 46 47
    100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused

stop-limit | sell 100 stop 45 limit 44
  fill: bar 48 49 44 46; bar 47 48 46 47
    100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  gap: bar 40 42 39 41; bar 43 44 42 43
    expired | 100 at 44 | cancelled | cancelled | 100 at 44 | expired
    100 at 44 | 100 at 44 | 100 at 44 | 100 at 44 | 100 at 44 | refused
  cancel: bar 48 49 47 48; cancel; bar 44 44 44 44
    expired | cancelled | cancelled | cancelled | cancelled | expired
    cancelled | cancelled | cancelled | cancelled | cancelled | refused
  reject: unlist; ask; bar 48 49 44 46; list; bar 46 47 45 46
    rejected | rejected | rejected | rejected | rejected | rejected
    rejected | rejected | rejected | rejected | rejected | refused
  modify: change stop_price=47 limit_price=46; bar 48 49 46 48; bar 47 47 47 47
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  partial: bar 48 49 44 46 600; bar 46 47 44 45 600; bar 45 46 44 45 600
    expired, 60 at 45 | 100 at 45.4 | cancelled, 60 at 45 | cancelled | 100 at 45.4 | expired, 60 at 45
    expired, 60 at 46 | 100 at 45.6 | cancelled, 60 at 46 | cancelled | expired, 60 at 46 | refused
  expire: bar 48 49 47 48; bar 48 49 47 48; bar 48 49 47 48; bar 44 44 44 44
    expired | 100 at 44 | cancelled | cancelled | expired | expired
    expired | accepted | accepted | accepted | expired | refused
  disconnect: cut; bar 48 49 44 46; back; bar 47 47 47 47
    100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  crash: bar 48 49 44 46 crash; bar 47 48 46 47
    100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45 | 100 at 45
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused

trailing stop | sell 100 trail 5
  fill: bar 50 60 49 58; bar 57 57 54 56; bar 55 55 55 55
    expired | 100 at 55 | refused | refused | 100 at 55 | refused
    expired | 100 at 55 | refused | refused | expired | refused
  gap: bar 50 60 49 58; bar 50 51 49 50; bar 49 49 49 49
    expired | 100 at 50 | refused | refused | 100 at 50 | refused
    expired | 100 at 49 | refused | refused | expired | refused
  cancel: bar 50 60 49 58; cancel; bar 50 50 50 50
    expired | cancelled | refused | refused | cancelled | refused
    cancelled | cancelled | refused | refused | cancelled | refused
  reject: unlist; ask; bar 48 49 44 46; list; bar 46 47 45 46
    rejected | rejected | refused | refused | rejected | refused
  modify: bar 50 60 49 58; change quantity=40; bar 57 57 54 56; bar 55 55 55 55
    expired | 40 at 55 | refused | refused | 40 at 55 | refused
    expired | 40 at 55 | refused | refused | expired | refused
  partial: bar 50 60 49 58; bar 57 57 54 56 600; bar 55 55 55 55 600; bar 55 55 55 55 400
    expired | 100 at 55 | refused | refused | expired, 60 at 55 | refused
    expired | 100 at 55 | refused | refused | expired | refused
  expire: bar 50 51 49 50; bar 50 51 49 50; bar 50 51 49 50; bar 44 44 44 44; bar 43 43 43 43
    expired | 100 at 44 | refused | refused | expired | refused
    expired | 100 at 43 | refused | refused | expired | refused
  disconnect: bar 50 60 49 58; cut; bar 57 57 54 56; back; bar 55 55 55 55
    expired | 100 at 55 | refused | refused | 100 at 55 | refused
  crash: bar 50 60 49 58 crash; bar 57 57 54 56; bar 55 55 55 55
    expired | 100 at 55 | refused | refused | 100 at 55 | refused
    expired | 100 at 55 | refused | refused | expired | refused

trailing stop-limit | sell 100 trail 5 offset 1
  fill: bar 50 60 49 58; bar 57 57 54 56; bar 55 55 55 55
    expired | 100 at 55 | refused | refused | 100 at 55 | refused
    expired | 100 at 55 | refused | refused | expired | refused
  gap: bar 50 60 49 58; bar 50 51 49 50; bar 49 49 49 49; bar 54 55 54 55
    expired | 100 at 54 | refused | refused | expired | refused
  cancel: bar 50 60 49 58; cancel; bar 50 50 50 50
    expired | cancelled | refused | refused | cancelled | refused
    cancelled | cancelled | refused | refused | cancelled | refused
  reject: unlist; ask; bar 48 49 44 46; list; bar 46 47 45 46
    rejected | rejected | refused | refused | rejected | refused
  modify: bar 50 60 49 58; change quantity=40; bar 57 57 54 56; bar 55 55 55 55
    expired | 40 at 55 | refused | refused | 40 at 55 | refused
    expired | 40 at 55 | refused | refused | expired | refused
  partial: bar 50 60 49 58; bar 57 57 54 56 600; bar 55 55 55 55 600; bar 55 55 55 55 400
    expired | 100 at 55 | refused | refused | expired, 60 at 55 | refused
    expired | 100 at 55 | refused | refused | expired | refused
  expire: bar 50 51 49 50; bar 50 51 49 50; bar 50 51 49 50; bar 44 44 44 44; bar 43 43 43 43
    expired | accepted | refused | refused | expired | refused
  disconnect: bar 50 60 49 58; cut; bar 57 57 54 56; back; bar 55 55 55 55
    expired | 100 at 55 | refused | refused | 100 at 55 | refused
  crash: bar 50 60 49 58 crash; bar 57 57 54 56; bar 55 55 55 55
    expired | 100 at 55 | refused | refused | 100 at 55 | refused
    expired | 100 at 55 | refused | refused | expired | refused

triggered | buy 100 trigger 45
  fill: bar 48 49 44 46; bar 47 48 46 47
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  gap: bar 40 42 39 41; bar 43 44 42 43
    100 at 43 | 100 at 43 | 100 at 43 | 100 at 43 | 100 at 43 | refused
  cancel: bar 48 49 47 48; cancel; bar 44 44 44 44
    cancelled | cancelled | cancelled | cancelled | cancelled | refused
  reject: unlist; ask; bar 48 49 44 46; list; bar 46 47 45 46
    rejected | rejected | rejected | rejected | rejected | refused
  modify: change trigger_price=47; bar 48 49 46 48; bar 47 47 47 47
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  partial: bar 48 49 44 46; bar 47 48 46 47 600; bar 46 46 46 46 5
    expired, 60 at 47 | partially filled, 60 at 47 | cancelled, 60 at 47 | cancelled | expired, 60 at 47 | refused
  expire: bar 48 49 47 48; bar 48 49 47 48; bar 48 49 47 48; bar 44 44 44 44; bar 43 43 43 43
    100 at 43 | 100 at 43 | 100 at 43 | 100 at 43 | expired | refused
  disconnect: cut; bar 48 49 44 46; back; bar 47 47 47 47
    refused | refused | refused | refused | refused | refused
  crash: bar 48 49 44 46 crash; bar 47 48 46 47
    expired unsent | expired unsent | expired unsent | expired unsent | expired unsent | refused

after-market | buy 100 later
  fill: bar 48 49 47 48; bar 47 48 46 47; bar 46 46 46 46
    100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | 100 at 47 | refused
  expire: bar 48 49 47 48; bar 47 47 47 47 5; bar 46 46 46 46 5; bar 46 46 46 46 5
    expired | accepted | cancelled | cancelled | expired | refused
  cancel: bar 48 49 47 48; cancel; bar 44 44 44 44
    cancelled | cancelled | cancelled | cancelled | cancelled | refused
  reject: unlist; ask; bar 48 49 44 46; bar 46 47 45 46
    rejected | rejected | rejected | rejected | rejected | refused
  modify: change quantity=40; bar 48 49 46 48; bar 47 47 47 47; bar 46 46 46 46
    40 at 47 | 40 at 47 | 40 at 47 | 40 at 47 | 40 at 47 | refused
  partial: bar 48 49 47 48; bar 47 48 46 47 600; bar 46 46 46 46 5
    expired, 60 at 47 | partially filled, 60 at 47 | cancelled, 60 at 47 | cancelled | expired, 60 at 47 | refused
  disconnect: bar 48 49 44 46; cut; bar 47 47 47 47; back; bar 46 46 46 46
    refused | refused | refused | refused | refused | refused
  crash: bar 48 49 44 46; bar 47 47 47 47 crash; bar 46 48 46 47
    expired unsent | expired unsent | expired unsent | expired unsent | expired unsent | refused
"""


def rows() -> Iterator[tuple[str, str, str, str, list[str]]]:
    """(kind, what is asked, what happens, story, lines of outcomes)."""
    for block in TABLE.strip().split("\n\n"):
        head, *lines = block.splitlines()
        kind, asked = map(str.strip, head.split("|"))
        stories: list[tuple[str, str, list[str]]] = []
        for line in map(str.strip, lines):
            if "|" in line:
                stories[-1][2].append(line)
            else:
                event, story = line.split(": ", 1)
                stories.append((event, story, []))
        for event, story, outcomes in stories:
            yield kind, asked, event, story, outcomes


ROWS = list(rows())


@pytest.mark.parametrize("lasts", TIMES)
@pytest.mark.parametrize(
    ("kind", "asked", "event", "story", "outcomes"), ROWS, ids=[f"{row[0]} {row[2]}" for row in ROWS]
)
def test_what_becomes_of_an_order(
    kind: str, asked: str, event: str, story: str, outcomes: list[str], lasts: TimeInForce
) -> None:
    column = TIMES.index(lasts)
    for profile, line in ((FULL, outcomes[0]), (BARE, outcomes[-1])):
        expected = line.split("|")[column].strip()
        assert Story(profile).tell(asked, lasts, story) == expected, f"{kind}, {event}, {lasts} at {profile.name}"


def test_the_table_has_every_kind_and_whatever_may_happen_to_each() -> None:
    kinds = {kind for kind, *_ in ROWS}
    follows = {"trailing stop", "trailing stop-limit"}
    assert kinds == {"market", "limit", "stop", "stop-limit", *follows, "triggered", "after-market"}
    assert len(OrderKind) == 6, "a new kind belongs in the table"
    assert set(TIMES) == set(TimeInForce)
    due = {"fill", "partial", "cancel", "modify", "reject", "expire", "disconnect", "crash"}
    for kind in kinds:
        assert {event for one, _, event, _, _ in ROWS if one == kind} >= due
