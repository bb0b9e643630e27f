"""The other process: one backtest or search, then its end. It steps back for whoever trades, and ends with its server.

It reads its work from stdin, whose end means that the server is no more, and says how far it is in lines on stdout.
What a strategy prints goes to stderr.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evenkeel.market.bars import Bars
    from evenkeel.research.backtest.result import BacktestResult
    from evenkeel.server.jobs.job import Finished, Message, Stage, Work
    from evenkeel.trading.strategies.registry import AnyStrategy

MOST_BARS = 5_000_000
NICENESS = 10
_SIZE = 8

Tell = Callable[["Message"], None]


def parcel(work: Work) -> bytes:
    """The bytes that `main` reads: their number, then the pickled work."""
    data = pickle.dumps(work)
    return len(data).to_bytes(_SIZE, "big") + data


def main() -> None:
    """Reads the work, does it and says what came of it."""
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _step_back()
    work = _read(sys.stdin.buffer)
    threading.Thread(target=_leave_with_server, args=(sys.stdin.buffer,), daemon=True).start()
    from msgspec import json

    def tell(message: Message) -> None:
        said.write(json.encode(message) + b"\n")
        said.flush()

    tell(attempt(work, tell))


def _step_back() -> None:
    """Ctrl+C is for the server; the processor and, should memory run short, the memory are for trading."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    with suppress(OSError):  # systems without this file choose by size, which is as well
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _read(stdin: BinaryIO) -> Work:
    size = int.from_bytes(stdin.read(_SIZE), "big")
    work: Work = pickle.loads(stdin.read(size))  # noqa: S301 - the server's own bytes
    return work


def _leave_with_server(stdin: BinaryIO) -> None:
    """A killed server cannot end its workers; the pipe that it held ends instead."""
    stdin.read()
    os._exit(1)


def attempt(work: Work, tell: Tell) -> Message:
    """The result, or why there is none."""
    from evenkeel.domain.errors import EvenkeelError
    from evenkeel.server.jobs.job import Failed

    try:
        return carry_out(work, tell)
    except EvenkeelError as error:
        return Failed(_plain(f"{error.message}. {error.hint}" if error.hint else error.message))
    except MemoryError:
        return Failed("there was not enough memory for it; take fewer bars or symbols")
    except Exception as error:  # noqa: BLE001 - whatever a strategy raises is told to whoever asked for it
        return Failed(_plain(f"{type(error).__name__}: {error}"), _plain(traceback.format_exc()))


def _plain(said: str) -> str:
    """Words of foreign code as every database and message can hold them."""
    return said.encode("utf-8", "replace").decode().replace("\0", "")[:4000]


def carry_out(work: Work, tell: Tell) -> Finished:
    """Runs it and keeps columns, table and report. Raises InvalidInput, and what the strategy raises."""
    from evenkeel.desk.backtests import finite
    from evenkeel.research.keeping import keep
    from evenkeel.server.jobs.job import Finished, Progress

    def reached(stage: Stage) -> None:
        tell(Progress(stage))

    reached("reading")
    history = _history(work)
    strategy = work.strategy.load()
    options = _options(work)
    if work.asked.search is not None:
        from evenkeel.server.jobs.searching import search

        concluded = search(work, strategy, history, options=options, tell=tell)
        result, summary, table, report = concluded
    else:
        reached("running")
        result, table = _run(work, strategy, history, options=options, tell=tell), None
        reached("figures")
        summary = result.summary()
        reached("report")
        report = _sheet(result)
    keep(result, report, work.file, table=table)
    said: dict[str, Any] = finite(summary)
    return Finished(said)


def _sheet(result: BacktestResult) -> str:
    from evenkeel.research.report import tear_sheet

    return tear_sheet(result)


def _history(work: Work) -> dict[str, Bars]:
    """Bars by symbol. Raises InvalidInput where there are none, or too many."""
    from evenkeel.domain.errors import InvalidInput

    asked, store = work.asked, work.store
    listed = {one.id: one for one in store.instruments()}
    found = {}
    for symbol, instrument_id in zip(asked.symbols, asked.instrument_ids, strict=True):
        bars = store.read(instrument_id, asked.timeframe, start=asked.start, end=asked.end).as_of(asked.until)
        if not len(bars):
            raise InvalidInput(f"there are no {asked.timeframe} bars of {symbol} in that time")
        found[symbol] = bars.of_instrument(listed[instrument_id])
    total = sum(map(len, found.values()))
    if total > MOST_BARS:
        raise InvalidInput(f"these are {total:,} bars, and at most {MOST_BARS:,} are taken here", hint=_FEWER)
    return found


_FEWER = "Take a shorter time, fewer symbols or a longer timeframe; `evenkeel backtest run` has no such limit."


def _options(work: Work) -> dict[str, Any]:
    """The terms, with the splits and dividends of the store."""
    ids, store = work.asked.instrument_ids, work.store
    actions = {
        "splits": [one for name in ids for one in store.splits(name)],
        "dividends": [one for name in ids for one in store.dividends(name)],
    }
    return work.asked.options() | actions


def _run(
    work: Work, strategy: AnyStrategy, history: Mapping[str, Bars], *, options: Mapping[str, Any], tell: Tell
) -> BacktestResult:
    from evenkeel.research.backtest.run import backtest
    from evenkeel.server.jobs.telling import Teller

    engine, rate = work.asked.engine, float(work.asked.risk_free)
    told = Teller(tell, "running")
    return backtest(
        strategy, history, params=work.parameters, engine=engine, risk_free=rate, progress=told.moved, **options
    )


if __name__ == "__main__":
    main()
