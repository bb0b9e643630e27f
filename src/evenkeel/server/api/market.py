"""The market: instruments, stored bars and last quotes. Nothing later than the feed's clock is shown."""

import asyncio
from typing import TYPE_CHECKING

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.domain import clock
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.market.ports import Series
from evenkeel.server import requests, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.bars import SeriesOut, bars_as_known, moment_of, seen_until
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

if TYPE_CHECKING:
    from evenkeel.market.bars import Bars

_PATH = f"{PREFIX}/market"


async def list_symbols(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """Every listed instrument."""
    wire.query(request, requests.NoQuery)
    return wire.Json(s.Page([views.instrument(seen.state, one) for one in seen.state.instruments.values()]))


async def list_bars(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Bars of one symbol, oldest first: the newest `limit`, or the first from `start` on. Raw bars are adjusted for
    the splits and dividends known at the clock unless `adjusted=false`."""
    query = wire.query(request, requests.BarsQuery)
    fields = wire.Fields()
    found = find_instrument(seen.state, query.symbol, None, fields=fields)
    start, end = moment_of("start", query.start, fields), moment_of("end", query.end, fields)
    _check_timeframe(query.timeframe, fields)
    fields.check("the query is not valid")
    at, instrument = seen_until(parts), seen.state.instruments[found]
    bars = await asyncio.to_thread(
        bars_as_known, parts.bars, instrument, timeframe=query.timeframe, at=at, adjusted=query.adjusted
    )
    if start is not None or end is not None:
        bars = bars.between(start, end)
    bars = bars.rows(0, query.limit) if start is not None else bars.tail(query.limit)
    return wire.Json(s.Page([_bar(bars, index, instrument) for index in range(len(bars))]))


def _check_timeframe(text: str, fields: wire.Fields) -> None:
    from evenkeel.market.timeframes import timeframe

    try:
        timeframe(text)
    except InvalidInput as error:
        fields.fault("timeframe", error.message)


def _bar(bars: "Bars", index: int, instrument: Instrument) -> s.BarOut:
    bar = bars.bar(index)
    return s.BarOut(
        id=f"{bar.instrument_id}:{bars.timeframe}:{bar.ts}",
        ts=clock.iso(bar.ts),
        close_ts=clock.iso(bar.close_ts),
        open=views.price(bar.open, instrument),
        high=views.price(bar.high, instrument),
        low=views.price(bar.low, instrument),
        close=views.price(bar.close, instrument),
        volume=views.measured(bar.volume),
    )


async def list_series(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What bars there are, by symbol and timeframe: the runs of them that a backtest can be made on."""
    wire.query(request, requests.NoQuery)
    until, listed = seen_until(parts), seen.state.instruments
    stored = await asyncio.to_thread(parts.bars.series)
    known = [one for one in stored if one.instrument_id in listed and one.first_ts < until]
    shown = [_series(one, listed[one.instrument_id], until) for one in known]
    return wire.Json(s.Page(sorted(shown, key=lambda one: (one.symbol, one.start))))


def _series(series: Series, instrument: Instrument, until: int) -> SeriesOut:
    return SeriesOut(
        id=f"{instrument.id}:{series.timeframe}",
        symbol=instrument.symbol,
        timeframe=series.timeframe,
        start=clock.iso(series.first_ts),
        end=clock.iso(min(series.last_close_ts, until)),
    )


async def list_quotes(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The last quote of the given symbols, of all without any. `age` is in seconds; one that is `silent` has been so
    for too long, and market and stop orders in it are refused."""
    query, now = wire.query(request, requests.QuotesQuery), parts.runner.clock.now()
    wanted = [symbol.strip() for symbol in query.symbols.split(",") if symbol.strip()]
    if not wanted:
        return wire.Json(s.Page([views.quote(seen.state, one, now=now) for one in seen.state.instruments.values()]))
    if len(wanted) > 200:
        raise InvalidInput("the query is not valid: at most 200 symbols at a time")
    fields = wire.Fields()
    ids = [find_instrument(seen.state, symbol, None, fields=fields, field="symbols") for symbol in wanted]
    fields.check("the query is not valid")
    found = [seen.state.instruments[one] for one in dict.fromkeys(ids)]
    return wire.Json(s.Page([views.quote(seen.state, one, now=now) for one in found]))


ENDPOINTS = (
    Endpoint(method="GET", path=f"{_PATH}/symbols", handler=list_symbols, needs=Permission.READ,
             summary="Instruments", tag="market", query=requests.NoQuery, answers={200: s.Page[s.InstrumentOut]}),
    Endpoint(method="GET", path=f"{_PATH}/bars", handler=list_bars, needs=Permission.READ, summary="Bars",
             tag="market", query=requests.BarsQuery, answers={200: s.Page[s.BarOut]}, errors=(404,)),
    Endpoint(method="GET", path=f"{_PATH}/series", handler=list_series, needs=Permission.READ, summary="Stored bars",
             tag="market", query=requests.NoQuery, answers={200: s.Page[SeriesOut]}),
    Endpoint(method="GET", path=f"{_PATH}/quotes", handler=list_quotes, needs=Permission.READ, summary="Quotes",
             tag="market", query=requests.QuotesQuery, answers={200: s.Page[s.QuoteOut]}),
)  # fmt: skip
