"""The host: streaming equals evaluating at once, faults stay with their deployment, restarts repeat nothing."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from math import isnan

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.commands import CancelOrder, SubmitOrder
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Bar, MarketSlice, Quote, Split
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.provenance import Source
from evenkeel.domain.strategies import Allocation, Deployment, Scalar, Signal
from evenkeel.market.bars import Bars
from evenkeel.market.columns import DAY
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies import DeployRequest, Holding, HostFault, Output, Registry, StrategyHost
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.evaluate import evaluate
from evenkeel.trading.strategies.registry import BUILT_IN, AnyTemplate
from evenkeel.trading.strategies.runners import EventRunner
from evenkeel.trading.strategies.seeded import seeded_bars
from tests.trading.strategies import authors
from tests.trading.strategies.authors import made_bars
from tests.trading.strategies.test_windows import split_on

TEMPLATES: tuple[AnyTemplate, ...] = (
    *BUILT_IN,
    authors.EmaTrend,
    authors.Faulty,
    authors.RangeFault,
    authors.ShapeFault,
    authors.WriteFault,
    authors.TextFault,
    authors.ExitFault,
    authors.Recorder,
)
REGISTRY = Registry(TEMPLATES)


def deployment(
    template: str, name: str = "d", instrument_id: str = "i", accounts: Sequence[str] = ("a",), **values: Scalar
) -> Deployment:
    shares = tuple(Allocation(account, Decimal("0.5")) for account in accounts)
    return Deployment(name, name, template, "1", values, (instrument_id,), shares)


def seeded_deployment(template: str, values: dict[str, Scalar]) -> Deployment:
    return msgspec.structs.replace(deployment(template, instrument_id="seeded"), parameters=values)


def new_host(clock: Callable[[], int] | None = None) -> StrategyHost:
    return StrategyHost(REGISTRY, monotonic=clock, deadline=50)


def slice_of(bar: Bar, *, splits: tuple[Split, ...] = ()) -> MarketSlice:
    return MarketSlice(bar.close_ts, (bar,), splits=splits)


def signals(outputs: Sequence[Output]) -> list[Signal]:
    assert all(isinstance(output, Signal) for output in outputs), outputs
    return [output for output in outputs if isinstance(output, Signal)]


def targets(found: Sequence[Signal]) -> Floats:
    return np.array([np.nan if signal.target is None else signal.target for signal in found])


def stream(host: StrategyHost, bars: Bars) -> list[Signal]:
    return signals([output for bar in bars for output in host.on_slice(slice_of(bar))])


CASES: list[tuple[str, dict[str, Scalar]]] = [
    ("sma-crossover", {"fast": 5, "slow": 20}),
    ("rsi", {"period": 4, "oversold": 40.0, "overbought": 60.0}),
    ("donchian-breakout", {}),
    ("donchian-breakout", {"allow_short": True}),
    ("support-resistance", {"lookback": 30}),
    ("ema-trend", {"period": 5}),
]


@pytest.mark.parametrize(("template", "values"), CASES)
@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10_000), warmed=st.integers(0, 120))
def test_streaming_equals_evaluating_at_once(template: str, values: dict[str, Scalar], seed: int, warmed: int) -> None:
    bars = seeded_bars(200, seed)
    host = new_host()
    assert host.deploy(DeployRequest(seeded_deployment(template, values))) == []
    assert host.warm("d", bars.rows(0, warmed)) == []
    found = stream(host, bars.rows(warmed))
    strategy = REGISTRY.create(template)
    assert isinstance(strategy, SignalStrategy)
    params = REGISTRY.resolve(template, values)
    expected = evaluate(strategy, bars, params)
    np.testing.assert_array_equal(targets(found), expected[warmed:])
    details = strategy.details(bars, params)
    for i, signal in enumerate(found, start=warmed):
        assert signal.at == bars.close_ts[i]
        assert 0.0 <= signal.confidence <= 1.0
        known = {n: v[i] for n, v in details.items() if not isnan(v[i])}
        assert signal.details == known or len(signal.details) < len(known)


def test_every_bar_gives_a_signal_hold_included() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("sma-crossover", fast=2, slow=3)))
    found = stream(host, made_bars([1, 1, 1, 1, 2]))
    assert [signal.target for signal in found] == [None, None, None, None, 1.0]
    assert [signal.confidence > 0 for signal in found] == [False, False, False, False, True]
    assert found[-1].details == {"fast": 1.5, "slow": pytest.approx(4 / 3)}


def test_only_path_dependent_strategies_are_evaluated_from_their_anchor() -> None:
    examined = [REGISTRY.examine(name, REGISTRY.resolve(name, {})) for name in ("sma-crossover", "rsi", "ema-trend")]
    assert [report.path_dependent for report in examined] == [False, True, True]


def test_a_path_dependent_strategy_forgets_what_lies_before_its_anchor() -> None:
    bars = seeded_bars(120)
    anchored, short = new_host(), new_host()
    made = deployment("rsi", instrument_id="seeded", period=4)
    anchored.deploy(DeployRequest(made, anchor_ts=int(bars.ts[30])))
    anchored.warm("d", bars.rows(0, 80))
    short.deploy(DeployRequest(made))
    short.warm("d", bars.rows(30, 80))
    assert stream(anchored, bars.rows(80)) == stream(short, bars.rows(80))


def test_bars_handed_over_again_are_ignored() -> None:
    bars = seeded_bars(60)
    host = new_host()
    host.deploy(DeployRequest(deployment("sma-crossover", instrument_id="seeded", fast=2, slow=5)))
    host.warm("d", bars.rows(0, 40))
    first = stream(host, bars.rows(40, 50))
    assert len(first) == 10
    assert stream(host, bars.rows(35, 50)) == []
    assert len(stream(host, bars.rows(45, 60))) == 10


def test_bars_of_other_instruments_are_ignored() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("sma-crossover")))
    assert stream(host, seeded_bars(5)) == []


@pytest.mark.parametrize(("template", "values"), CASES)
def test_a_split_does_not_change_what_a_strategy_sees_of_a_trend(template: str, values: dict[str, Scalar]) -> None:
    """The same market with and without a 2:1 split at bar 100: halving is exact, so targets are equal."""
    plain = seeded_bars(160)
    prices = ("open", "high", "low", "close")
    after = np.arange(160) >= 100
    raw = plain.replaced(**{n: np.where(after, getattr(plain, n) / 2, getattr(plain, n)) for n in prices})
    split = split_on(100, instrument_id="seeded")
    hosts = new_host(), new_host()
    for host in hosts:
        host.deploy(DeployRequest(seeded_deployment(template, values)))
    expected = stream(hosts[0], plain)
    found: list[Output] = []
    for i, bar in enumerate(raw):
        slices = slice_of(bar, splits=(split,) if i == 100 else ())
        found += hosts[1].on_slice(slices)
        found += hosts[1].on_slice(slices)  # a feed that repeats itself
    np.testing.assert_array_equal(targets(signals(found)), targets(expected))


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("faulty", "ZeroDivisionError: no divisor (authors.py line "),
        ("range-fault", "answered 1.5 at bar 0; targets lie in -1 to 1"),
        ("shape-fault", "answered shape (0,) for 1 bars"),
        ("write-fault", "read-only"),
        ("text-fault", "expected numbers or NaN"),
        ("exit-fault", "SystemExit: 3"),
    ],
)
def test_a_fault_stays_with_its_deployment(template: str, says: str) -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment(template, "bad")))
    host.deploy(DeployRequest(deployment("sma-crossover", "good", fast=1, slow=2)))
    bars = made_bars([1, 2, 2_000, 3])
    stream(host, bars.rows(0, 2))
    outputs = host.on_slice(slice_of(bars.bar(2)))
    fault, signal = outputs
    assert isinstance(fault, HostFault)
    assert fault.deployment_id == "bad"
    assert says in fault.reason
    assert isinstance(signal, Signal)
    assert signal.deployment_id == "good"
    assert [s.deployment_id for s in stream(host, bars.rows(3))] == ["good"]
    assert host.deployed() == ("good",)
    assert host.deploy(DeployRequest(deployment(template, "bad"))) == []
    assert set(host.deployed()) == {"good", "bad"}


def test_a_missed_deadline_takes_a_deployment_out() -> None:
    now = [0]

    def clock() -> int:
        now[0] += 30
        return now[0]

    host = new_host(clock)
    host.deploy(DeployRequest(deployment("sma-crossover", "d")))
    assert len(stream(host, made_bars([1.0]))) == 1
    late = StrategyHost(REGISTRY, monotonic=clock, deadline=20)
    late.deploy(DeployRequest(deployment("sma-crossover", "d")))
    (fault,) = late.on_slice(slice_of(made_bars([1.0]).bar(0)))
    assert isinstance(fault, HostFault)
    assert "its deadline is" in fault.reason
    assert late.deployed() == ()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (deployment("no-such"), "no strategy template 'no-such'"),
        (deployment("sma-crossover", fast=0), "fast: expected a whole number from 1"),
    ],
)
def test_what_cannot_be_deployed_is_a_fault(made: Deployment, says: str) -> None:
    (fault,) = new_host().deploy(DeployRequest(made))
    assert isinstance(fault, HostFault)
    assert says in fault.reason


def test_an_incremental_strategy_continues_from_its_state() -> None:
    bars = seeded_bars(100)
    made = deployment("ema-trend", instrument_id="seeded")
    first = new_host()
    first.deploy(DeployRequest(made))
    first.warm("d", bars.rows(0, 50))
    expected = stream(first, bars.rows(50, 70))
    state = first.state("d")
    rest = stream(first, bars.rows(70))
    again = new_host()
    again.deploy(DeployRequest(made, state=state))
    again.warm("d", bars.rows(60, 70))
    assert stream(again, bars.rows(65)) == rest
    assert expected[-1].target is not None


def test_nothing_is_remembered_of_others() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("rsi")))
    stream(host, made_bars([1, 2, 3]))
    assert host.state("d") is None
    assert host.state("nobody") is None


def recorder(host: StrategyHost, name: str = "d") -> authors.Recorder:
    runner = host._runners[name]
    assert isinstance(runner, EventRunner)
    assert isinstance(runner._strategy, authors.Recorder)
    return runner._strategy


def order_of(command: Output, order_id: str, state: OrderState) -> Order:
    assert isinstance(command, SubmitOrder)
    spec = command.spec
    return Order(
        id=order_id,
        spec=spec,
        venue_client_id="V",
        state=state,
        session_date=date(1970, 1, 2),
        created_at=1,
        updated_at=1,
        quantity=spec.quantity,
        limit_price=spec.limit_price,
        stop_price=spec.stop_price,
    )


def fill_of(spec: OrderSpec, quantity: int, at: int) -> Fill:
    return Fill(
        id="f",
        order_id="o",
        account_id=spec.account_id,
        book=spec.book,
        instrument_id=spec.instrument_id,
        side=spec.side,
        quantity=Decimal(quantity),
        price=Decimal(110),
        currency="USD",
        executed_at=at,
        session_date=date(1970, 1, 2),
        venue_execution_id="x",
    )


def test_an_event_strategy_from_start_to_fill() -> None:
    host = new_host()
    assert host.deploy(DeployRequest(deployment("recorder"))) == []
    host.warm("d", made_bars([108, 109]))
    bars = made_bars([110, 111, 112, 113], first_day=2)
    assert host.on_slice(slice_of(bars.bar(0))) == []
    (submit,) = host.on_slice(slice_of(bars.bar(1)))
    assert isinstance(submit, SubmitOrder)
    assert submit.provenance.source is Source.DEPLOYMENT
    assert submit.provenance.actor == "d"
    spec = submit.spec
    assert (spec.account_id, spec.book, spec.instrument_id) == ("a", "d", "i")
    assert (spec.side, spec.kind, spec.limit_price) == (Side.BUY, OrderKind.LIMIT, Decimal("110.50"))
    assert spec.client_order_id == f"d:{bars.bar(1).close_ts}:1"
    assert host.on_order(order_of(submit, "o1", OrderState.ACCEPTED)) == []
    assert host.on_fill(fill_of(spec, 3, bars.bar(1).close_ts)) == []
    (cancel,) = host.on_slice(slice_of(bars.bar(2)))
    assert isinstance(cancel, CancelOrder)
    assert cancel.order_id == "o1"
    quote = Quote("i", bars.bar(3).close_ts, 112.5, 113.5, 113.0)
    host.on_slice(MarketSlice(bars.bar(3).close_ts, (bars.bar(3),), (quote,)))
    assert recorder(host).seen == [
        "start", "warm 108", "warm 109", "bar 110 of 3 at 0", "bar 111 of 4 at 0", "order ACCEPTED",
        "fill 3 at 3", "bar 112 of 5 at 3", "timer later", "quote 112.5", "bar 113 of 6 at 3",
    ]  # fmt: skip


def test_a_cancel_asked_for_too_early_follows_the_order() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("recorder")))
    bars = made_bars([111, 112])
    (submit,) = host.on_slice(slice_of(bars.bar(0)))
    assert host.on_slice(slice_of(bars.bar(1))) == []
    (cancel,) = host.on_order(order_of(submit, "o9", OrderState.SUBMITTED))
    assert isinstance(cancel, CancelOrder)
    assert cancel.order_id == "o9"
    assert host.on_order(order_of(submit, "o9", OrderState.ACCEPTED)) == []
    assert host.on_order(order_of(submit, "o9", OrderState.CANCELLED)) == []


def test_an_order_for_every_account() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("recorder", accounts=("a", "b"))))
    outputs = host.on_slice(slice_of(made_bars([111]).bar(0)))
    specs = [output.spec for output in outputs if isinstance(output, SubmitOrder)]
    assert [spec.account_id for spec in specs] == ["a", "b"]
    assert len({spec.client_order_id for spec in specs}) == 1


def test_a_restart_continues_an_event_strategy_and_asks_for_nothing_twice() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("recorder")))
    bars = made_bars([110, 111, 112, 113])
    (submit,) = host.on_slice(slice_of(bars.bar(0))) + host.on_slice(slice_of(bars.bar(1)))
    host.on_order(order_of(submit, "o1", OrderState.ACCEPTED))
    state = host.state("d")
    again = new_host()
    request = DeployRequest(deployment("recorder"), state=state, holdings=(Holding("a", "i", Decimal(2)),))
    again.deploy(msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=DeployRequest))
    again.warm("d", bars.rows(0, 2))
    assert again.on_slice(slice_of(bars.bar(1))) == []
    (cancel,) = again.on_slice(slice_of(bars.bar(2)))
    assert isinstance(cancel, CancelOrder)
    assert cancel.order_id == "o1"
    assert recorder(again).seen == ["restored", "start", "bar 112 of 3 at 2"]
    after = new_host()
    after.deploy(DeployRequest(deployment("recorder"), state=again.state("d")))
    after.warm("d", bars.rows(0, 3))
    after.on_slice(slice_of(bars.bar(3)))
    assert "timer later" in recorder(after).seen


def test_replayed_events_ask_for_the_same_order_ids() -> None:
    ids = []
    for _ in range(2):
        host = new_host()
        host.deploy(DeployRequest(deployment("recorder")))
        outputs = [o for bar in made_bars([110, 111]) for o in host.on_slice(slice_of(bar))]
        ids.append([o.spec.client_order_id for o in outputs if isinstance(o, SubmitOrder)])
    assert ids[0] == ids[1]
    assert len(ids[0]) == 1


def test_what_a_failing_call_asked_for_is_dropped() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("recorder")))
    (fault,) = host.on_slice(slice_of(made_bars([666]).bar(0)))
    assert isinstance(fault, HostFault)
    assert "unlucky" in fault.reason


def test_a_failing_state_is_a_fault_at_the_next_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("recorder")))
    monkeypatch.setattr(recorder(host), "state", lambda: 1 / 0)
    assert host.state("d") is None
    (fault,) = host.on_slice(MarketSlice(DAY))
    assert isinstance(fault, HostFault)
    assert "ZeroDivisionError" in fault.reason


def test_a_position_stated_outright_replaces_the_sum_of_fills() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("recorder"), holdings=(Holding("a", "i", Decimal(7)),)))
    host.hold("d", Holding("a", "i", Decimal(14)))
    host.on_slice(slice_of(made_bars([110]).bar(0)))
    assert recorder(host).seen[-1] == "bar 110 of 1 at 14"


def test_messages_survive_a_process_boundary() -> None:
    host = new_host()
    host.deploy(DeployRequest(deployment("sma-crossover", fast=1, slow=2)))
    host.deploy(DeployRequest(deployment("recorder", "r")))
    outputs = [o for bar in made_bars([110, 111, 666]) for o in host.on_slice(slice_of(bar))]
    for output in outputs:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(output), type=type(output)) == output
    assert {type(output) for output in outputs} == {Signal, SubmitOrder, HostFault}
