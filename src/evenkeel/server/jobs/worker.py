"""The other process: one backtest, then its end. It steps back for whoever trades, and goes when its server goes.

It reads its work from stdin, whose end means that the server is no more, and says how far it is in lines on stdout.
What a strategy prints goes to stderr.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
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
_PAUSE = 0.25

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
    """Runs the backtest and keeps its columns and report. Raises InvalidInput, and what the strategy raises."""
    from evenkeel.research.report import tear_sheet
    from evenkeel.server.jobs.job import Finished, Progress
    from evenkeel.server.jobs.kept import keep

    def reached(stage: Stage) -> None:
        tell(Progress(stage))

    reached("reading")
    history = _history(work)
    reached("running")
    result, warnings = _run(work, history, tell)
    reached("figures")
    summary = result.summary()
    reached("report")
    keep(result, tear_sheet(result), work.file)
    return Finished(_finite(summary | {"warnings": [*summary["warnings"], *warnings]}))


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


def _run(work: Work, history: Mapping[str, Bars], tell: Tell) -> tuple[BacktestResult, list[str]]:
    """The result, and what to be wary of. Splits that lie in the bars are applied, dividends where the engine can."""
    from evenkeel.research.backtest.options import terms_of
    from evenkeel.research.backtest.run import backtest, choose

    asked, strategy = work.asked, work.strategy.load()
    options, warnings = asked.options(), []
    ids = asked.instrument_ids
    options["splits"] = [one for name in ids for one in work.store.splits(name)]
    dividends = [one for name in ids for one in work.store.dividends(name)]
    currency = next(iter(history.values())).instrument
    assert currency is not None
    chosen = choose(strategy, terms_of(currency.currency, options), engine=asked.engine, instruments=len(ids))
    if dividends and chosen == "compiled":
        options["dividends"] = dividends
    elif dividends:
        warnings.append("dividends were not paid: the event engine does not have them")
    counted(strategy, sum(map(len, history.values())), tell)
    parameters, rate = work.parameters, float(asked.risk_free)
    result = backtest(strategy, history, params=parameters, engine=asked.engine, risk_free=rate, **options)
    return result, warnings


def counted(strategy: AnyStrategy, total: int, tell: Tell) -> None:
    """Has a strategy that is called bar by bar tell how many of `total` it has seen; of others nobody knows."""
    from evenkeel.server.jobs.job import Progress
    from evenkeel.trading.strategies.base import Strategy

    if not isinstance(strategy, Strategy):
        return
    seen, due = 0, time.monotonic()

    def count(handle: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def handled(context: Any, bar: Any) -> None:
            nonlocal seen, due
            seen += 1
            if not seen % 256 and (now := time.monotonic()) >= due:
                due = now + _PAUSE
                tell(Progress("running", min(1.0, seen / total)))
            handle(context, bar)

        return handled

    vars(strategy).update(on_bar=count(strategy.on_bar), on_warmup=count(strategy.on_warmup))


def _finite(value: Any) -> Any:
    """The same in values that JSON has: None in the place of what is no number."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


if __name__ == "__main__":
    main()
