"""What the engine is handed: measured when a limit asks for it, once a day of the market, and for what is concerned."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from structlog.testing import capture_logs

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.watch import RiskWatch, concerned, measured
from evenkeel.domain import commands as c
from evenkeel.domain.events import RiskInputs
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import OrderState
from evenkeel.market.columns import DAY
from evenkeel.market.ports import Series
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.trading.engine.state import State
from tests.desk.risk.test_figures import DEPLOYMENT, history, noise
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, World, at, instrument

LIMITED = msgspec.structs.replace(OPEN, max_correlation=Decimal("0.8"))
IDLE = instrument("IDLE")


class BrokenStore(MemoryStore):
    """A store whose disk fails."""

    def series(self) -> tuple[Series, ...]:
        raise OSError("no such device")


class Desk:
    """A runner by the world's engine; `posted` are the inputs it was handed."""

    def __init__(self, made: World) -> None:
        self.made, self.posted = made, list[RiskInputs]()

    @property
    def state(self) -> State:
        return self.made.state

    @property
    def clock(self) -> "Desk":
        return self

    def now(self) -> int:
        return self.made.now

    async def post_all(self, events: Sequence[RiskInputs]) -> None:
        for event in events:
            assert self.made.step(event).records == (), "measurements are no record"
            self.posted.append(event)


def desk(*, limited: bool = True, closes: int = 60) -> tuple[Desk, RiskWatch]:
    made = World(ACME, BOLT, IDLE)
    made.account("A", limits=LIMITED if limited else OPEN)
    made.price(ACME, 10.0)
    made.price(BOLT, 20.0)
    store = MemoryStore([ACME, BOLT], [history(ACME, noise(closes)), history(BOLT, noise(closes), 20.0)])
    found = Desk(made)
    return found, RiskWatch(found, DailyCloses(store))


async def test_nothing_is_measured_where_no_limit_asks() -> None:
    found, watch = desk(limited=False)
    await watch.prepare(MarketSlice(at(1)))
    assert found.posted == []
    assert found.state.correlations is None


async def test_the_engine_knows_how_what_is_quoted_goes_together() -> None:
    found, watch = desk()
    await watch.prepare(MarketSlice(at(1)))
    (inputs,) = found.posted
    assert (set(inputs.instruments), inputs.as_of) == ({ACME.id, BOLT.id}, at(1) - 1)
    assert found.state.correlations is not None
    alike = found.state.correlations.closest(ACME.id, 1, others=[(BOLT.id, 1), (IDLE.id, 1)])
    assert alike == (pytest.approx(1, abs=1e-9), 1)


async def test_once_a_day_and_when_something_new_is_concerned() -> None:
    found, watch = desk()
    for moment in (at(1), at(1) + 10, at(1) + 20):
        await watch.prepare(MarketSlice(moment))
    assert len(found.posted) == 1
    found.made.price(IDLE, 5.0)
    await watch.prepare(MarketSlice(at(1) + 30))
    assert len(found.posted) == 2
    await watch.prepare(MarketSlice(at(1) + DAY))
    assert len(found.posted) == 3


async def test_without_a_feed_it_is_done_when_something_has_been_committed() -> None:
    found, watch = desk()
    watch.committed(None, ())  # type: ignore[arg-type]
    watch.committed(None, ())  # type: ignore[arg-type]
    assert watch._task is not None
    await watch._task
    assert len(found.posted) == 1


async def test_what_cannot_be_measured_is_logged_and_trading_goes_on_with_what_was_known() -> None:
    found, watch = desk()
    await watch.prepare(MarketSlice(at(1)))
    known = found.state.correlations
    watch.daily._store = BrokenStore([], [])
    with capture_logs() as lines:
        await watch.prepare(MarketSlice(at(1) + DAY))
    (line,) = lines
    assert (line["log_level"], line["exc_info"]) == ("error", True)
    assert len(found.posted) == 1
    assert found.state.correlations is known
    found.made.holding("5", "10")
    found.made.price(IDLE, 5.0)
    assert found.made.submit(instrument_id=BOLT.id).rule == "max-correlation"
    assert found.made.submit(instrument_id=IDLE.id).state is not OrderState.REFUSED


def test_concerned_is_what_is_held_ordered_traded_and_quoted() -> None:
    found, _ = desk()
    made = found.made
    assert list(concerned(made.state)) == [ACME.id, BOLT.id]
    made.step(
        c.Deploy(provenance=WHO, deployment=msgspec.structs.replace(DEPLOYMENT, instrument_ids=(IDLE.id,), accounts=()))
    )
    made.holding("5", "20", instrument_id=BOLT.id)
    assert list(concerned(made.state)) == [BOLT.id, IDLE.id, ACME.id]
    assert concerned(made.state)[BOLT.id] == (BOLT, (at(0), 20.0))
    assert concerned(made.state)[IDLE.id] == (IDLE, None)


def test_what_has_too_little_history_is_left_out() -> None:
    store = MemoryStore([ACME, BOLT], [history(ACME, noise(60)), history(BOLT, noise(9), 20.0)])
    inputs = measured(DailyCloses(store), [(ACME, None), (BOLT, None)], at=at(1))
    assert (inputs.instruments, inputs.correlations, inputs.days) == ((ACME.id,), ((1.0,),), 60)
    assert measured(DailyCloses(store), [(BOLT, None)], at=at(1)).instruments == ()
    assert measured(DailyCloses(store), [], at=at(1)).instruments == ()
