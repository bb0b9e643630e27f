"""What crosses the line to a host's process arrives as it left; what cannot cross it is a fault of its deployment."""

import os
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.commands import CancelOrder, SubmitOrder
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Signal
from evenkeel.market.columns import COLUMNS
from evenkeel.trading.strategies import DeployRequest, HostFault, Output, Registry, StrategyHost
from evenkeel.trading.strategies.answering import Answering, deployment_of, find, origin_of
from evenkeel.trading.strategies.messages import (
    Answer,
    AnyRequest,
    AskLookback,
    LoadHistory,
    Origin,
    Retire,
    SliceCame,
    Start,
    Tell,
)
from evenkeel.trading.strategies.process import wire
from evenkeel.trading.strategies.process.board import NOBODY, Board, Note
from evenkeel.trading.strategies.process.prints import LONGEST, Prints, read
from evenkeel.trading.strategies.registry import BUILT_IN
from evenkeel.trading.strategies.sma_crossover import SmaCrossover
from tests.trading.strategies import authors
from tests.trading.strategies.authors import made_bars
from tests.trading.strategies.test_host import deployment

BY = Provenance("d", Source.DEPLOYMENT, strategy_version="1", parameter_hash="ab")
NUMBERS = st.floats(allow_nan=False)
AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False)
SIGNALS = st.builds(
    Signal,
    st.text(),
    st.text(),
    st.integers(-(2**63), 2**63 - 1),
    st.none() | NUMBERS,
    NUMBERS,
    st.dictionaries(st.text(), NUMBERS | st.text()),
    NUMBERS,
    whole=st.booleans(),
    rebalance=st.booleans(),
)
SPECS = st.builds(
    OrderSpec,
    st.text(),
    st.text(),
    st.text(),
    st.sampled_from(Side),
    AMOUNTS,
    st.sampled_from(OrderKind),
    st.text(),
    limit_price=st.none() | AMOUNTS,
)
OUTPUTS: st.SearchStrategy[Output] = st.one_of(
    SIGNALS,
    st.builds(lambda spec: SubmitOrder(provenance=BY, spec=spec), SPECS),
    st.builds(lambda name: CancelOrder(provenance=BY, order_id=name), st.text()),
    st.builds(HostFault, st.text(), st.text()),
)


@given(
    outputs=st.lists(OUTPUTS),
    states=st.dictionaries(st.text(), st.none() | st.binary()),
    known=st.none() | st.booleans(),
)
def test_an_answer_arrives_as_it_left(
    outputs: list[Output], states: dict[str, bytes | None], known: bool | None
) -> None:
    answer = Answer(tuple(outputs), states, 7, known)
    body = wire.encode_answer(answer)
    assert wire.decode_answer(body) == answer
    assert wire.frame(body)[: wire.LENGTH] == len(body).to_bytes(wire.LENGTH, "big")


@pytest.mark.parametrize(
    "request_",
    [
        AskLookback(3, deployment("rsi", period=5), Origin("m", "C", "/f.py")),
        Start(0, DeployRequest(deployment("rsi", period=5), 7, 3, b"x", path_dependent=True)),
        LoadHistory("d", "i", "1d", (b"12345678",) * 8),
        Retire("d"),
        Tell((SliceCame(MarketSlice(5, (made_bars([1.0]).bar(0),))),)),
    ],
)
def test_a_request_arrives_as_it_left(request_: AnyRequest) -> None:
    assert wire.decode_request(wire.encode(request_)) == request_


def test_an_output_says_whose_it_is() -> None:
    spec = OrderSpec("a", "book", "i", Side.BUY, Decimal(1), OrderKind.MARKET, "one")
    outputs = Signal("s", "i", 0, 1.0), SubmitOrder(provenance=BY, spec=spec), CancelOrder(provenance=BY, order_id="o")
    assert [deployment_of(one) for one in (*outputs, HostFault("f", "why"))] == ["s", "book", "d", "f"]


class Careless(authors.Recorder):
    """Asks, at some closes, for what no message can hold."""

    name = "careless"

    def on_bar(self, ctx: Any, bar: Any) -> None:
        if bar.close == 5:
            ctx.wishes.append(
                OrderSpec("a", "bad", "i", Side.BUY, object(), OrderKind.MARKET, "x")  # type: ignore[arg-type]
            )
        if bar.close == 6:
            ctx.buy(1)
            ctx.wishes[-1] = msgspec.structs.replace(ctx.wishes[-1], client_order_id="x" * (2 << 20))


def answering() -> Answering:
    registry = Registry((*BUILT_IN, Careless))
    made = Answering(StrategyHost(registry), registry)
    for name, template in (("bad", "careless"), ("good", "sma-crossover")):
        start = Start(0, DeployRequest(deployment(template, name)))
        assert wire.decode_answer(made.answer(start)).outputs == ()
    return made


def told(made: Answering, close: float, day: int = 0) -> Answer:
    bar = made_bars([close], first_day=day).bar(0)
    return wire.decode_answer(made.answer(Tell((SliceCame(MarketSlice(bar.close_ts, (bar,))),))))


@pytest.mark.parametrize(("close", "most", "says"), [(5, 1 << 26, "cannot be sent"), (6, 1 << 20, "bytes at once")])
def test_what_cannot_be_sent_is_a_fault_of_who_asked_for_it(
    close: float, most: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MOST_BYTES", most)
    made = answering()
    signal, fault = told(made, close).outputs
    assert isinstance(fault, HostFault)
    assert (fault.deployment_id, says in fault.reason) == ("bad", True)
    assert isinstance(signal, Signal)
    assert signal.deployment_id == "good"
    assert [one.deployment_id for one in told(made, 1, 1).outputs if isinstance(one, Signal)] == ["good"]
    assert made.host.deployed() == ("good",)


def test_states_are_told_when_they_have_changed() -> None:
    registry = Registry((*BUILT_IN, authors.EmaTrend))
    made = Answering(StrategyHost(registry), registry)
    made.answer(Start(0, DeployRequest(deployment("ema-trend", "e", period=5))))
    made.answer(Start(1, DeployRequest(deployment("sma-crossover", "s"))))
    first = told(made, 1.0)
    assert list(first.states) == ["e"]
    again = wire.decode_answer(made.answer(Tell(())))
    assert again.states == {}
    second = told(made, 2.0, 1)
    assert second.states["e"] != first.states["e"]
    made.answer(Retire("e"))
    assert made.host.deployed() == ("s",)


def test_history_arrives_column_by_column() -> None:
    registry = Registry()
    made = Answering(StrategyHost(registry), registry)
    answer = wire.decode_answer(
        made.answer(Start(0, DeployRequest(deployment("sma-crossover", "good", fast=1, slow=3))))
    )
    assert answer.path_dependent is False
    bars = made_bars([1.0, 2.0, 4.0])
    columns = tuple(np.ascontiguousarray(getattr(bars, name)).tobytes() for name in COLUMNS)
    assert made.answer(LoadHistory("good", "i", "1d", columns))
    (signal,) = told(made, 5.0, 3).outputs
    assert isinstance(signal, Signal)
    assert signal.details == {"fast": 5.0, "slow": pytest.approx(11 / 3)}
    look = AskLookback(0, deployment("sma-crossover", fast=1, slow=3))
    assert wire.decode_answer(made.answer(look)).lookback == 2


def test_a_template_is_found_where_it_is_defined(tmp_path: Path) -> None:
    assert find(origin_of(SmaCrossover)) is SmaCrossover
    file = tmp_path / "mine.py"
    text = "from evenkeel.trading.strategies import Strategy\nclass Mine(Strategy):\n    name = 'mine'\n"
    file.write_text(text, encoding="utf-8")
    kind = Registry().load(file)
    assert kind.name == "mine"
    owners = Registry()
    owners.load(file)
    origin = origin_of(owners.template("mine"))
    del sys.modules[origin.module]
    registry = Registry()
    made = Answering(StrategyHost(registry), registry)
    assert wire.decode_answer(made.answer(Start(0, DeployRequest(deployment("mine")), origin))).outputs == ()
    assert made.host.deployed() == ("d",)


@pytest.mark.parametrize(
    ("text", "says"), [("import no_such_module", "no_such_module"), ("1 / 0", "division by zero"), ("", "exactly one")]
)
def test_a_template_that_cannot_be_loaded_is_a_fault(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "broken.py"
    file.write_text(text, encoding="utf-8")
    registry = Registry()
    made = Answering(StrategyHost(registry), registry)
    for request in (
        AskLookback(0, deployment("broken"), Origin("broken", "Broken", str(file))),
        Start(0, DeployRequest(deployment("broken")), Origin("broken", "Broken", str(file))),
    ):
        (fault,) = wire.decode_answer(made.answer(request)).outputs
        assert isinstance(fault, HostFault)
        assert says in fault.reason or "Broken" in fault.reason
    with pytest.raises(InvalidInput, match="there is no strategy Nobody"):
        find(Origin("evenkeel.trading.strategies.rsi", "Nobody"))


def test_both_processes_see_the_board() -> None:
    with tempfile.TemporaryFile() as shared:
        shared.truncate(os.sysconf("SC_PAGE_SIZE"))
        ours, theirs = Board(shared.fileno()), Board(shared.fileno())
    assert theirs.read() == Note(0, 0, False)
    ours.write(3, timed=True)
    first = theirs.read()
    assert (first.slot, first.timed) == (3, True)
    ours.write(3, timed=True)
    assert theirs.read() != first, "another call of the same deployment"
    ours.write(NOBODY, timed=False)
    assert theirs.read().slot == NOBODY
    ours.close()
    theirs.close()


def printed(*texts: str, slot: int = 4) -> list[tuple[int, str]]:
    ends = os.pipe()
    prints = Prints(ends[1], lambda: slot)
    for text in texts:
        assert prints.write(text) == len(text)
    os.close(ends[1])
    with os.fdopen(ends[0], "rb") as said:
        return [read(line) for line in said.read().split(b"\n")[:-1]]


def test_what_is_printed_is_marked_line_by_line() -> None:
    assert printed("one", " line\nand", " another\n") == [(4, "one line"), (4, "and another")]
    assert printed("x" * (LONGEST + 1)) == [(4, "x" * LONGEST)], "one without an end, too"
    assert printed("\udc80\n", slot=NOBODY) == [(NOBODY, "?")]
    assert read(b"Fatal Python error: Segmentation fault") == (NOBODY, "Fatal Python error: Segmentation fault")
    assert read(b"\x1enot a number\x1f") == (NOBODY, "\x1enot a number\x1f".rstrip())
    assert Prints(2, lambda: 0).writable()
    assert Prints(2, lambda: 0).fileno() == 2


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\x1e\x1f"), max_size=50)))
def test_every_line_comes_out_once(lines: list[str]) -> None:
    assert [text for _, text in printed(*(f"{line}\n" for line in lines))] == [line.rstrip() for line in lines]
