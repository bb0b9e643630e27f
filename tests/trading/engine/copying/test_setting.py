"""Setting copy links in the engine: who may follow whom, what a change changes, and from when a link follows."""

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import copying as d
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import CopyChange, CopyFilter, CopyLink, CopyMode, CopyTerms
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.domain.events import CopiesRead
from evenkeel.domain.instruments import AssetClass
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound


@pytest.fixture
def world() -> World:
    made = World()
    for name in "ABCD":
        made.account(name)
    made.price(ACME, 10)
    return made


def opens(master: str, follower: str, **more: object) -> c.OpenCopyLink:
    base: dict[str, object] = {"id": f"{master}-{follower}", "mode": CopyMode.FILLS, "proposed_by": "u"}
    link = CopyLink(master_id=master, follower_id=follower, **{"accepted": True} | base | more)  # type: ignore[arg-type]
    return c.OpenCopyLink(provenance=WHO, link=link)


def test_chains_are_links_and_circles_are_not(world: World) -> None:
    for master, follower in ("AB", "BC", "AD"):
        world.step(opens(master, follower))
    for master, follower in ("BA", "CA", "CB", "DA"):
        error = world.declined(opens(master, follower))
        assert isinstance(error, Conflict)
        assert "in a circle" in error.message
    world.step(c.ChangeCopyLink(provenance=WHO, link_id="B-C", change=CopyChange(removed=True)))
    world.step(opens("C", "A"))
    assert_sound(world)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (CopyFilter(), CopyFilter(instrument_ids=(ACME.id,)), True),
        (CopyFilter(instrument_ids=(BOLT.id,)), CopyFilter(instrument_ids=(ACME.id,)), False),
        (CopyFilter(books=("manual",)), CopyFilter(books=("trend",)), False),
        (CopyFilter(books=("manual",)), CopyFilter(books=("trend", "manual")), True),
        (CopyFilter(asset_classes=(AssetClass.EQUITY,)), CopyFilter(asset_classes=(AssetClass.FX,)), False),
    ],
)
def test_two_links_of_a_pair_have_nothing_in_common(
    world: World, one: CopyFilter, other: CopyFilter, meet: bool
) -> None:
    world.step(opens("A", "B", filter=one))
    second = opens("A", "B", filter=other, id="second")
    if meet:
        assert "between these accounts already copies" in world.declined(second).message
    else:
        world.step(second)
        assert len(list(world.state.copying.of_master("A"))) == 2


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"filter": CopyFilter(instrument_ids=("none",))}, "filter.instruments"),
        ({"symbols": {ACME.id: d.SymbolRule("none")}}, "symbols"),
        ({"symbols": {ACME.id: d.SymbolRule(BOLT.id, D(0))}}, f"symbols.{ACME.id}"),
        ({"terms": CopyTerms(d.Fixed(D(0)))}, "terms.sizing.quantity"),
        ({"terms": CopyTerms(d.Multiplier(D(-1)))}, "terms.sizing.factor"),
        ({"terms": CopyTerms(d.ByVolatility(0.0))}, "terms.sizing.reference"),
        ({"terms": CopyTerms(d.ByVolatility(window=1))}, "terms.sizing.window"),
        ({"terms": CopyTerms(risk=D(0))}, "terms.risk"),
        ({"terms": CopyTerms(max_slippage=D(2))}, "terms.max_slippage"),
        ({"terms": CopyTerms(max_age=0)}, "terms.max_age"),
    ],
)
def test_what_makes_no_sense_of_a_link(world: World, more: dict[str, object], field: str) -> None:
    error = world.declined(opens("A", "B", **more))
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.errors] == [field]


def test_an_account_does_not_copy_itself_or_nobody(world: World) -> None:
    error = world.declined(opens("A", "A"))
    assert isinstance(error, InvalidInput)
    assert error.errors[0].field == "follower_id"
    assert isinstance(world.declined(opens("A", "Z")), NotFound)
    world.step(opens("A", "B"))
    assert "already" in world.declined(opens("A", "C", id="A-B")).message


def test_a_link_follows_from_when_it_is_accepted(world: World) -> None:
    world.holding("30")
    world.step(opens("A", "B", accepted=False))
    one = world.state.copying.links["A-B"]
    assert not one.follows
    world.holding("10")
    world.step(c.ChangeCopyLink(provenance=WHO, link_id="A-B", change=CopyChange(accepted=True)))
    assert one.follows
    assert one.leg(ACME.id).held == D(40)
    assert one.since == world.state.seq == world.state.copying.cursor
    seq = world.state.seq
    world.step(c.ChangeCopyLink(provenance=WHO, link_id="A-B", change=CopyChange(accepted=True)))
    assert world.state.seq == seq, "what changes nothing is not recorded"
    assert_sound(world)


def test_changes_of_what_is_not_there_or_makes_no_sense(world: World) -> None:
    world.step(opens("A", "B"))
    bad = CopyChange(terms=CopyTerms(risk=D(0)))
    assert isinstance(world.declined(c.ChangeCopyLink(provenance=WHO, link_id="A-B", change=bad)), InvalidInput)
    gone = c.ChangeCopyLink(provenance=WHO, link_id="A-B", change=CopyChange(removed=True))
    world.step(gone)
    assert isinstance(world.declined(gone), NotFound)
    aligned = c.AlignCopy(provenance=WHO, link_id="A-B", targets=())
    assert isinstance(world.declined(aligned), NotFound)


def test_an_event_is_taken_once_and_never_by_a_link_that_does_not_follow(world: World) -> None:
    world.step(opens("A", "B"))
    fill = d.MasterFill(d.CopyKind.FILL, ACME.id, D(10), D(10), world.now, "order", D(1))
    take = c.TakeCopy(provenance=WHO, link_id="A-B", source=world.state.seq + 5, event=fill)
    assert world.step(take).outcome.created  # type: ignore[union-attr]
    seq = world.state.seq
    for again in (take, c.TakeCopy(provenance=WHO, link_id="none", source=99, event=fill)):
        assert not world.step(again).outcome.created  # type: ignore[union-attr]
    assert world.state.seq == seq
    assert world.state.copying.cursor == take.source


def test_what_one_event_settles_of_several_instruments_is_closed_in_each(world: World) -> None:
    """A follower that is back holds too much of two: each is closed by an order of its own, whatever has its name."""
    world.price(BOLT, 10)
    world.step(opens("A", "B"))
    for one in (ACME, BOLT):
        world.holding("10", account_id="B", book="A-B", instrument_id=one.id)
    source = world.state.seq + 5
    taken = world.submit(account_id="B", client_order_id=f"copy:A-B:{source}")
    both = d.FollowerMoved((ACME.id, BOLT.id))
    world.step(c.TakeCopy(provenance=WHO, link_id="A-B", source=source, event=both))
    told = world.of(CopyTaken)
    assert [(one.instrument_id, one.quantity, one.skipped) for one in told] == [
        (ACME.id, D(-10), ""),
        (BOLT.id, D(-10), ""),
    ]
    assert taken.id not in told[0].orders
    assert_sound(world)


def test_the_cursor_only_moves_on(world: World) -> None:
    world.step(opens("A", "B"))
    cursor = world.state.copying.cursor
    world.step(CopiesRead(cursor + 10))
    world.step(CopiesRead(cursor + 3))
    assert world.state.copying.cursor == cursor + 10
