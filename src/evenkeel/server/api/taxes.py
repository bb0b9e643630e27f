"""How gains are taxed in an account, the lots that accounts and portfolios hold, and the gains of a year."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.portfolios.rebalancing import Plan
from evenkeel.desk.taxes.books import LotBooks, Settings, by_method
from evenkeel.desk.taxes.placing import Across
from evenkeel.desk.taxes.plans import plan_tax
from evenkeel.desk.taxes.washing import past
from evenkeel.domain.accounts import Account
from evenkeel.domain.clock import from_ns, session_date
from evenkeel.domain.errors import Forbidden
from evenkeel.domain.lots import Lots
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.taxes import TaxTerms, in_force
from evenkeel.domain.washes import wash_sales
from evenkeel.server import schemas as s
from evenkeel.server import status, taxes, wire
from evenkeel.server.account_scope import ids_of
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.state import State

_TAX = f"{PREFIX}/accounts/{{account_id}}/tax"
_PORTFOLIO = f"{PREFIX}/portfolio"


async def get_tax(account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """How gains are taxed in an account. What its owner has set for a shared one is for its owner."""
    held = seen.account(account_id)
    return wire.Json(taxes.tax_out(account_id, _settings(seen, parts)[account_id], today=held.day))


async def set_tax(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Says how gains are taxed in your account, and which lots a sale closes, from a day on. None of it is in the
    journal. The audit log says what was set, and leaves out the rates, so that a purge leaves nothing of them."""
    given, fields = await wire.body(request, taxes.TaxIn), wire.Fields()
    account, today = _mine(seen, account_id), seen.account(account_id).day
    short, long = (fields.required(name, getattr(given, name), "share") for name in ("short", "long"))
    since = None if given.since is None else _day(given.since, fields)
    fields.check("the tax setting is not valid")
    terms = TaxTerms(given.status, short, long, given.days, given.method)
    before = in_force(parts.directory.taxes(account_id), today)
    was, after = None if before is None else _noted(before), {**_noted(terms), "since": given.since}
    await parts.trail.note(seen.user.id, "set_tax", subject=account_id, before=was, after=after)
    kept = await parts.directory.set_taxes(account_id, account.user_id, terms, since=since, today=today)
    return wire.Json(taxes.tax_out(account_id, kept, today=today))


async def forget_tax(account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Takes back all that was said of how gains are taxed in your account."""
    _mine(seen, account_id)
    await parts.trail.note(seen.user.id, "forget_tax", subject=account_id)
    await parts.directory.forget_taxes(account_id)
    return Response(status_code=204)


def _mine(seen: Tenant, account_id: str) -> Account:
    """Raises NotFound, and Forbidden for an account that is only shared."""
    account = seen.account(account_id).account
    if account.user_id != seen.user.id:
        raise Forbidden("how gains are taxed is for the account's owner to say")
    return account


def _day(text: str, fields: wire.Fields) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fields.fault("since", f"{text} is no date of the calendar")
        return None


def _noted(terms: TaxTerms) -> dict[str, object]:
    return {"status": terms.status, "days": terms.days, "method": terms.method}


def _settings(seen: Tenant, parts: AppParts) -> dict[str, Settings]:
    return taxes.taxes_of(seen, parts.directory)


async def followed(request: Request, state: State) -> LotBooks:
    """The lots of all books, as of this state."""
    books = request.app.state.lots
    assert isinstance(books, LotBooks)
    await books.follow(state)
    return books


class _Asked(NamedTuple):
    """What a query is about: lots with the day since when they count, where a portfolio has adopted them; settings."""

    books: LotBooks
    found: list[tuple[PositionKey, date, Lots]]
    settings: dict[str, Settings]


async def _asked(request: Request, seen: Tenant, parts: AppParts, query: taxes.LotsQuery | taxes.GainsQuery) -> _Asked:
    fields, state = wire.Fields(), seen.state
    instrument_id = None if query.symbol is None else find_instrument(state, query.symbol, None, fields=fields)
    fields.check("the query is not valid")
    accounts = frozenset(ids_of(seen, parts.directory, account_id=query.account_id, group=query.group))
    books = await followed(request, state)
    keys = [(key, date.min) for key in books.keys(accounts, instrument_id=instrument_id)]
    if query.portfolio_id is not None:
        members = seen.portfolio(query.portfolio_id).books
        keys = [
            (
                key,
                date.min if key.book == query.portfolio_id else _day_of(state, key, members[key.account_id, key.book]),
            )
            for key, _ in keys
            if (key.account_id, key.book) in members
        ]
    settings = _settings(seen, parts)
    await books.ready(state, settings, instruments={key.instrument_id for key, _ in keys})
    found = []
    for key, since in keys:
        own = settings[key.account_id]
        if query.method is None:
            found.append((key, since, books.lots(state, key, own)))
        else:
            found.append((key, since, await books.supposed(state, key, by_method(own, query.method))))
    return _Asked(books, found, settings)


def _day_of(state: State, key: PositionKey, at: int) -> date:
    account = state.accounts[key.account_id].account
    return session_date(at, account.time_zone, account.roll)


async def list_lots(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """What is left of each purchase, in your accounts or in a portfolio's books, with the gain at the last price, its
    term, and the days until a gain is long-term; by instrument, the oldest first."""
    query, state = wire.query(request, taxes.LotsQuery), seen.state
    asked = await _asked(request, seen, parts, query)
    found = [
        taxes.lot_out(state, key, lot, asked.settings[key.account_id])
        for key, _, lots in asked.found
        for lot in lots.held
    ]
    return wire.Json(s.Page(sorted(found, key=lambda one: (one.symbol, one.opened))))


async def list_gains(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """What sales of a year have realised, lot by lot, with sums by term, the tax at the accounts' rates, and the losses
    that purchases in any of your accounts put at risk."""
    query, state = wire.query(request, taxes.GainsQuery), seen.state
    year = query.year or from_ns(status.now(parts)).year
    asked = await _asked(request, seen, parts, query)
    found = [
        taxes.realised(
            key,
            one,
            settings=asked.settings[key.account_id],
            currency=state.instruments[key.instrument_id].currency,
        )
        for key, since, lots in asked.found
        for one in lots.closed or ()
        if one.closed.year == year and one.closed >= since
    ]
    washed = query.method is None
    if washed:
        await _mark_washes(seen, asked, found, days=query.wash_days)
    found.sort(key=lambda one: one.closing.closed, reverse=True)
    untold = dict.fromkeys(one.key.account_id for one in found if one.tax is None)
    items = [taxes.gain_out(state, one, washed=washed) for one in found[: query.limit]]
    totals = taxes.totals_of(state, found, washed=washed)
    return wire.Json(taxes.GainsReport(year, query.wash_days, items, totals, list(untold), taxes.NOTE))


async def _mark_washes(seen: Tenant, asked: _Asked, found: Iterable[taxes.Realised], *, days: int) -> None:
    """Notes at each loss the purchases beside it, by the same person in any of their accounts that are seen."""
    state = seen.state
    losses: dict[tuple[str, str], dict[int, taxes.Realised]] = {}
    for one in found:
        if one.closing.gain < 0:
            owner = state.accounts[one.key.account_id].account.user_id
            losses.setdefault((owner, one.key.instrument_id), {})[id(one.closing)] = one
    for (owner, instrument_id), theirs in losses.items():
        own = of_owner(state, asked.settings, owner)
        before = past(state, asked.books, own, instrument_id=instrument_id)
        for wash in await asyncio.to_thread(wash_sales, *before, days=days):
            known = theirs.get(id(wash.loss.closing))
            if known is not None:
                known.wash = wash


def of_owner(state: State, settings: Mapping[str, Settings], user_id: str) -> dict[str, Settings]:
    """The settings of one person's accounts."""
    return {name: own for name, own in settings.items() if state.accounts[name].account.user_id == user_id}


def read_yields(seen: Tenant, given: Sequence[taxes.YieldIn], fields: wire.Fields, *, across: bool) -> dict[str, float]:
    """What instruments yield in a year, by id; what makes no sense is a fault."""
    yields = dict[str, float]()
    if given and not across:
        fields.fault("yields", "goes with across: without it, no account is chosen")
    for place, one in enumerate(given):
        at = f"yields.{place}"
        name = find_instrument(seen.state, one.symbol, one.venue, fields=fields, field=f"{at}.symbol")
        if name and name in yields:
            fields.fault(f"{at}.symbol", "each instrument once")
        yields[name] = float(fields.required(f"{at}.share", one.share, "share"))
    return yields


async def across_of(request: Request, seen: Tenant, parts: AppParts, yields: Mapping[str, float]) -> Across:
    """By what a rebalance chooses among accounts."""
    books, settings = await followed(request, parts.runner.state), _settings(seen, parts)
    await books.ready(parts.runner.state, settings)
    return Across(books, settings, yields)


async def tax_of_plan(
    portfolio_id: str, request: Request, seen: Tenant, parts: AppParts, plan: Plan, *, days: int
) -> taxes.PlanTaxOut:
    """What a plan realises; purchases in all accounts of the portfolio's owner that are seen count."""
    state = parts.runner.state
    books, known = await followed(request, state), _settings(seen.to(Permission.READ), parts)
    theirs = of_owner(state, known, state.portfolio(portfolio_id).portfolio.user_id)
    await books.ready(state, theirs, instruments={trade.instrument_id for trade in plan.trades})
    return taxes.plan_tax_out(state, plan_tax(state, books, plan, taxes=theirs, days=days), theirs)


ENDPOINTS = (
    Endpoint(method="GET", path=_TAX, handler=get_tax, needs=Permission.READ, summary="How gains are taxed",
             tag="accounts", answers={200: taxes.TaxOut}),
    Endpoint(method="PUT", path=_TAX, handler=set_tax, needs=Permission.MANAGE, summary="Say how gains are taxed",
             tag="accounts", body=taxes.TaxIn, answers={200: taxes.TaxOut}, errors=(403,)),
    Endpoint(method="DELETE", path=_TAX, handler=forget_tax, needs=Permission.MANAGE, tag="accounts",
             summary="Take back how gains are taxed", answers={204: None}, errors=(403,)),
    Endpoint(method="GET", path=f"{_PORTFOLIO}/lots", handler=list_lots, needs=Permission.READ, cost=1,
             summary="Tax lots", tag="portfolio", query=taxes.LotsQuery, answers={200: s.Page[taxes.LotOut]},
             errors=(404,)),
    Endpoint(method="GET", path=f"{_PORTFOLIO}/gains", handler=list_gains, needs=Permission.READ, cost=1,
             summary="Realised gains of a year", tag="portfolio", query=taxes.GainsQuery,
             answers={200: taxes.GainsReport}, errors=(404,)),
)  # fmt: skip
