"""Backtests on the home's stored bars: asked for here, run elsewhere, told on the stream and kept to be compared.

Sweeps and walk-forwards are asked for in `searches`; once they are there, they are looked at here like the others.

Only registered strategies are run; code does not come in by this door. In a replay, nothing later than its clock is
shown to a backtest.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from fastapi import Depends, Request, Response

from evenkeel.desk.backtests import RATES, STOPS, Asked, Backtest, BacktestState, Kind, Search
from evenkeel.desk.permissions import Permission
from evenkeel.domain import clock
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.mtm import MtmRules
from evenkeel.domain.sizing import PercentOfEquity
from evenkeel.market.ports import Series
from evenkeel.research import keeping as kept
from evenkeel.research.backtest.options import terms_for, terms_of
from evenkeel.server import backtests as b
from evenkeel.server import mtm, requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.templates import chosen
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.backtest_requests import NewBacktest
from evenkeel.server.bars import moment_of, seen_until, storable
from evenkeel.server.contract import PREFIX, Endpoint, Html, Link
from evenkeel.server.listing import BAD_CURSOR
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.strategies.configured import Chosen

PATH = f"{PREFIX}/backtesting"
ONE = f"{PATH}/{{backtest_id}}"
_MOST_COMPARED = 20
# The sheet needs its own style and nothing else: no script, no network, no frame, no forms.
_SHEET_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; sandbox"
_FIELD_OF = {"currency": "symbols", "slippage.bps": "slippage_bps", "rate": "fees_bps"}


async def run_backtest(
    request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Queues a backtest; it runs when its turn comes, and tells how it goes on the stream's channel `backtests`.
    What only the run can show, such as an engine that lacks what was asked, ends as `failed` with the reason."""
    given = await wire.body(request, NewBacktest)
    fields = wire.Fields()
    code = await chosen(seen, parts, given.strategy, values=given.parameters, fields=fields, field="strategy")
    return await submitted(seen, parts, given, code=code, search=None, fields=fields)


async def submitted(
    seen: Tenant,
    parts: AppParts,
    given: NewBacktest,
    *,
    code: Chosen,
    search: Search | None,
    fields: wire.Fields,
) -> Response:
    """Checks the rest of what was asked, and queues it. Raises InvalidInput with all faults; Conflict."""
    asked = _asked(seen, given, fields, code=code, search=search, until=seen_until(parts))
    stored = await asyncio.to_thread(parts.bars.series)
    _check_bars(asked, stored, fields)
    _check_terms(seen, asked, fields)
    fields.check("the backtest is not valid")
    now = time.time_ns()
    made = Backtest(
        id=Random().public(now, 0, "backtest"),
        user_id=seen.user.id,
        kind=_kind(search),
        created_at=now,
        strategy=code.template,
        version=code.version,
        parameters=code.parameters,
        request=asked.stored(),
    )
    await parts.backtests.submit(made)
    return wire.Json(_line(parts, made), 202, {"location": f"{PATH}/{made.id}"})


def _kind(search: Search | None) -> Kind:
    if search is None:
        return "backtest"
    return "sweep" if search.train is None else "walk-forward"


def _asked(
    seen: Tenant, given: NewBacktest, fields: wire.Fields, *, code: Chosen, search: Search | None, until: int
) -> Asked:
    ids = [
        find_instrument(seen.state, symbol, None, fields=fields, field=f"symbols.{place}")
        for place, symbol in enumerate(given.symbols)
    ]
    if len(set(filter(None, ids))) < sum(map(bool, ids)):
        fields.fault("symbols", "each symbol once")
    if given.fees is not None and fields.number("fees_bps", given.fees_bps, "not-negative") is not None:
        fields.fault("fees_bps", "give either fees or fees_bps")
    start, end = _times(given, fields)
    symbols = [seen.state.instruments[one].symbol if one else "" for one in ids]
    return Asked(
        symbols=tuple(symbols),
        instrument_ids=tuple(ids),
        timeframe=given.timeframe,
        until=until,
        start=start,
        end=end,
        cash=fields.number("cash", given.cash) or Decimal(100_000),
        fees=given.fees,
        fees_bps=None if given.fees is not None else fields.number("fees_bps", given.fees_bps, "not-negative"),
        size=fields.size("size", given.size) or code.size or PercentOfEquity(),
        configuration=code.configuration,
        search=search,
        fill=given.fill,
        slippage_bps=fields.number("slippage_bps", given.slippage_bps, "not-negative") or Decimal(0),
        engine=given.engine,
        risk_free=fields.number("risk_free", given.risk_free, "share") or Decimal(0),
        mtm=_rules(given, fields, dict(zip(given.symbols, symbols, strict=True))),
        **_fractions(given, fields),
    )


def _rules(given: NewBacktest, fields: wire.Fields, symbols: Mapping[str, str]) -> dict[str, MtmRules]:
    """The rules by level; `symbols` has the instruments' own by those that were sent."""
    found, known = {}, {name.upper(): symbol for name, symbol in symbols.items()}
    for name, asked in given.mtm.items():
        level = known.get(name.upper(), name)
        if level in found:
            fields.fault(f"mtm.{name}", "each level once")
        try:
            found[level] = mtm.rules_of(asked, f"mtm.{name}")
        except InvalidInput as error:
            fields.faults.extend(error.errors)
    return found


def _fractions(given: NewBacktest, fields: wire.Fields) -> dict[str, Any]:
    stops = {name: fields.number(name, getattr(given, name)) for name in STOPS}
    rates = {name: fields.number(name, getattr(given, name), "not-negative") for name in (*RATES, "spread_share")}
    return stops | {name: rate or Decimal(0) for name, rate in rates.items()}


def _times(given: NewBacktest, fields: wire.Fields) -> tuple[int | None, int | None]:
    start, end = moment_of("start", given.start, fields), moment_of("end", given.end, fields)
    if start is not None and end is not None and start >= end:
        fields.fault("end", "must be later than start")
    return storable(start), storable(end)


def _check_bars(asked: Asked, stored: Sequence[Series], fields: wire.Fields) -> None:
    """A fault for each symbol without bars of the timeframe, or with none in the time that is asked for."""
    held = {(one.instrument_id, one.timeframe): one for one in stored}
    for place, (symbol, name) in enumerate(zip(asked.symbols, asked.instrument_ids, strict=True)):
        found = held.get((name, asked.timeframe))
        if not name:
            continue
        if found is None:
            there = ", ".join(frame for (one, frame) in held if one == name) or "none"
            fields.fault(f"symbols.{place}", f"there are no {asked.timeframe} bars of {symbol}; there are {there}")
            continue
        span = f"the bars of {symbol} are from {clock.iso(found.first_ts)} to {clock.iso(found.last_close_ts)}"
        if found.first_ts >= asked.until:
            fields.fault(f"symbols.{place}", f"{span}, which the replay has not reached")
        if asked.start is not None and asked.start >= min(found.last_close_ts, asked.until):
            fields.fault("start", f"{span}, and it is {clock.iso(asked.until)} now")
        if asked.end is not None and asked.end <= found.first_ts:
            fields.fault("end", span)


def _check_terms(seen: Tenant, asked: Asked, fields: wire.Fields) -> None:
    """A fault for each term that makes no sense, named as the request names it."""
    tested = [seen.state.instruments[one] for one in asked.instrument_ids if one]
    try:
        if tested and len(tested) == len(asked.symbols):
            terms_for(tested, asked.options())
        else:
            terms_of("USD", asked.options())
    except NotFound as error:
        fields.fault("fees", f"{error.message}. {error.hint or ''}".strip())
    except InvalidInput as error:
        fields.faults.extend(FieldError(_FIELD_OF.get(one.field, one.field), one.message) for one in error.errors)
        if not error.errors:
            fields.fault("", error.message)


async def list_backtests(
    request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The user's backtests, sweeps and walk-forwards, newest first."""
    query = wire.query(request, requests.BacktestsQuery)
    found, cursor = await parts.backtests.page(
        seen.user.id,
        kind=query.kind,
        strategy=query.strategy,
        state=query.state,
        limit=query.limit,
        cursor=query.cursor,
    )
    return wire.Json(s.Page([_line(parts, one) for one in found], cursor))


async def compare_backtests(
    request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Several results with their metrics side by side, in the order in which they are named. A sweep stands there with
    the combination it chose, a walk-forward with what it traded out of sample."""
    query = wire.query(request, requests.ComparisonQuery)
    ids = list(dict.fromkeys(one.strip() for one in query.ids.split(",") if one.strip()))
    if not 1 <= len(ids) <= _MOST_COMPARED:
        fault = FieldError("ids", f"expected 1 to {_MOST_COMPARED} ids, separated by commas")
        raise InvalidInput("the query is not valid", errors=(fault,))
    found = await parts.backtests.some(seen.user.id, ids)
    return wire.Json(await asyncio.to_thread(b.comparison, [found[one] for one in ids]))


async def get_backtest(
    backtest_id: str, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """One backtest: what was asked and, once it is done, what came out."""
    found = await parts.backtests.one(seen.user.id, backtest_id)
    return wire.Json(b.detail(found, parts.backtests.progress_of(found)))


async def delete_backtest(
    backtest_id: str, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Cancels what waits or runs, which stays in the list; removes what has ended, with all it has."""
    left = await parts.backtests.drop(seen.user.id, backtest_id)
    return Response(status_code=204) if left is None else wire.Json(_line(parts, left))


async def list_backtest_equity(
    backtest_id: str, request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Equity, cash and positions at the end of each bar, oldest first; with `points`, at so many bars of all."""
    query = wire.query(request, requests.BacktestEquityQuery)
    if query.points is not None and query.cursor is not None:
        fault = FieldError("points", "give either points, or a cursor")
        raise InvalidInput("the query is not valid", errors=(fault,))
    path = parts.backtests.file_of(await done(backtest_id, seen, parts))
    if query.points is not None:
        points = query.points
        places, rows = await asyncio.to_thread(lambda: kept.spread_equity(path, points))
        return wire.Json(s.Page(b.equity(rows, places)))
    start = row_of(query.cursor)
    rows = await asyncio.to_thread(lambda: kept.equity(path, start, query.limit))
    return _page(rows, b.equity(rows, range(start, start + query.limit)[: len(rows.columns["at"])]))


async def list_backtest_fills(
    backtest_id: str, request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every execution, oldest first."""
    query = wire.query(request, requests.PageQuery)
    path = parts.backtests.file_of(await done(backtest_id, seen, parts))
    start = row_of(query.cursor)
    rows = await asyncio.to_thread(lambda: kept.fills(path, start, query.limit))
    return _page(rows, b.fills(rows))


async def list_backtest_trades(
    backtest_id: str, request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every closed trade, in order of exit."""
    query = wire.query(request, requests.PageQuery)
    path = parts.backtests.file_of(await done(backtest_id, seen, parts))
    start = row_of(query.cursor)
    rows = await asyncio.to_thread(lambda: kept.trades(path, start, query.limit))
    return _page(rows, b.trades(rows))


async def get_backtest_report(
    backtest_id: str, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The tear sheet as it was made when the backtest was done, of a search with how far its choice can be trusted: one
    page that needs nothing else."""
    path = parts.backtests.file_of(await done(backtest_id, seen, parts))
    page = await asyncio.to_thread(kept.report, path)
    return Response(page, media_type="text/html", headers={"content-security-policy": _SHEET_POLICY})


async def done(backtest_id: str, seen: Tenant, parts: AppParts) -> Backtest:
    """Raises NotFound, and Conflict for a backtest that has no result."""
    found = await parts.backtests.one(seen.user.id, backtest_id)
    if found.state != BacktestState.DONE:
        why = found.error or "there is no result to look at"
        raise Conflict(f"the backtest is {found.state}: {why}")
    return found


def _line(parts: AppParts, this: Backtest) -> b.BacktestOut:
    return b.line(this, parts.backtests.progress_of(this))


def row_of(cursor: str | None) -> int:
    """The row that a page begins with. Raises InvalidInput for what is no cursor of these lists."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise BAD_CURSOR
    return int(cursor)


def _page(rows: kept.Rows, items: list[Any]) -> Response:
    """Raises InvalidInput where the page would begin behind the end."""
    if rows.start > rows.total:
        raise BAD_CURSOR
    after = rows.start + len(items)
    return wire.Json(s.Page(items, str(after) if after < rows.total else None))


NAMES = (
    "get_backtest", "delete_backtest", "list_backtest_equity", "list_backtest_fills", "list_backtest_trades",
    "get_backtest_report",
)  # fmt: skip
_LINKS = tuple(Link(name, "backtest_id") for name in NAMES)
ENDPOINTS = (
    Endpoint(method="GET", path=PATH, handler=list_backtests, needs=Permission.READ, summary="Backtests",
             tag="backtesting", query=requests.BacktestsQuery, answers={200: s.Page[b.BacktestOut]}),
    Endpoint(method="POST", path=PATH, handler=run_backtest, needs=Permission.TRADE, cost=1, summary="Run a backtest",
             tag="backtesting", body=NewBacktest, answers={202: b.BacktestOut}, errors=(409,), links=_LINKS),
    Endpoint(method="GET", path=f"{PATH}/compare", handler=compare_backtests, needs=Permission.READ, cost=1,
             summary="Compare backtests", tag="backtesting", query=requests.ComparisonQuery,
             answers={200: b.BacktestComparison}, errors=(404,)),
    Endpoint(method="GET", path=ONE, handler=get_backtest, needs=Permission.READ, summary="A backtest",
             tag="backtesting", answers={200: b.BacktestDetail}),
    Endpoint(method="DELETE", path=ONE, handler=delete_backtest, needs=Permission.TRADE, summary="Cancel or delete",
             tag="backtesting", answers={200: b.BacktestOut, 204: None}, errors=(409,)),
    Endpoint(method="GET", path=f"{ONE}/equity", handler=list_backtest_equity, needs=Permission.READ,
             summary="Equity of a backtest", tag="backtesting", query=requests.BacktestEquityQuery,
             answers={200: s.Page[b.BacktestEquityOut]}, errors=(409,)),
    Endpoint(method="GET", path=f"{ONE}/fills", handler=list_backtest_fills, needs=Permission.READ,
             summary="Fills of a backtest", tag="backtesting", query=requests.PageQuery,
             answers={200: s.Page[b.BacktestFillOut]}, errors=(409,)),
    Endpoint(method="GET", path=f"{ONE}/trades", handler=list_backtest_trades, needs=Permission.READ,
             summary="Trades of a backtest", tag="backtesting", query=requests.PageQuery,
             answers={200: s.Page[b.BacktestTradeOut]}, errors=(409,)),
    Endpoint(method="GET", path=f"{ONE}/report", handler=get_backtest_report, needs=Permission.READ, cost=1,
             summary="Tear sheet of a backtest", tag="backtesting", answers={200: Html}, errors=(409,)),
)  # fmt: skip
