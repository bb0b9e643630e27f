"""Bars straight from a file, without a store: `read_bars("prices.csv")`."""

from pathlib import Path
from typing import Any

from msgspec import structs

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.importing import ImportOptions, Prepared, prepare
from evenkeel.market.ticks import tick_for


def read_bars(path: str | Path, symbol: str | None = None, **options: Any) -> Bars:
    """The bars of a CSV or Parquet file, checked as an import checks them; of `symbol` where it holds several.

    `options` are those of an import: `timeframe`, `timezone`, `venue`, `calendar`, `tick`, `lot`, `currency` … Raises
    DataRefused with the rows at fault, InvalidInput for options that do not fit and where `symbol` must be named.
    """
    found = read_all_bars(path, **({"symbol": symbol} if symbol is not None else {}) | options)
    if len(found) == 1:
        return next(iter(found.values()))
    if symbol is not None and symbol in found:
        return found[symbol]
    raise InvalidInput(
        f"{Path(path).name} holds {len(found)} symbols: {', '.join(list(found)[:10])}",
        hint='Name one: read_bars(path, "SYMBOL"), or take all of them: read_all_bars(path).',
    )


def read_all_bars(path: str | Path, **options: Any) -> dict[str, Bars]:
    """The bars of every symbol of a file, by symbol. Raises as `read_bars` does."""
    unknown = [name for name in options if name not in ImportOptions.__struct_fields__]
    if unknown:
        raise InvalidInput(f"there is no option {unknown[0]!r} for reading a file")
    source = Path(path)
    if not source.is_file():
        raise InvalidInput(f"there is no file {source}")
    wanted = options.pop("symbol", None)
    prepared = prepare(source, ImportOptions(**options), _unknown)
    named = {one.instrument.symbol: one for one in prepared}
    if wanted is not None and len(named) == 1 and wanted not in named:
        prepared = prepare(source, ImportOptions(symbol=wanted, **options), _unknown)
    listed = [one.instrument if "tick" in options else _on_its_grid(one) for one in prepared]
    return {one.symbol: prepared_.bars.of_instrument(one) for one, prepared_ in zip(listed, prepared, strict=True)}


def _on_its_grid(one: Prepared) -> Instrument:
    """The instrument, with a finer tick than was guessed where the prices lie between ticks, as adjusted ones do."""
    return structs.replace(one.instrument, tick_size=tick_for(one.bars, one.instrument.tick_size))


def sample_bars(symbol: str) -> Bars:
    """Real daily bars, raw, of AAPL, GOOG, IBM or MSFT from 2000 (GOOG: 2004) to 2013, which come along.

    Raises NotFound.
    """
    from evenkeel.market.sample import sample_market

    instruments, bars, _ = sample_market()
    for one in instruments:
        if one.symbol == symbol.upper():
            return bars[one.id].of_instrument(one)
    names = ", ".join(sorted(one.symbol for one in instruments))
    raise NotFound(f"there are no sample prices of {symbol!r}", hint=f"There are those of {names}.")


def _unknown(symbol: str, venue: str | None) -> tuple[Instrument, ...]:
    """Nothing is known of any instrument: there is no store to know it."""
    return ()
