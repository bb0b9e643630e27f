"""Portfolios: money set apart with limits of its own, what belongs to it, and how it has done."""

import time

from fastapi import Depends, Request, Response
from msgspec import UnsetType
from msgspec.structs import replace

from evenkeel.desk.permissions import Permission
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.commands import (
    AdoptBook,
    AnyCommand,
    ArchivePortfolio,
    ChangePortfolio,
    CreatePortfolio,
    MoveCash,
    SetScopeLimits,
    TransferCash,
)
from evenkeel.domain.errors import Conflict
from evenkeel.domain.ids import Random
from evenkeel.domain.limits import Layer, LimitScope, RuleSet
from evenkeel.domain.money import ONE, neg
from evenkeel.domain.portfolios import HALF, Place, Portfolio, PortfolioChange
from evenkeel.server import portfolios as p
from evenkeel.server import schemas as s
from evenkeel.server import views, wire
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

_PATH = f"{PREFIX}/portfolio"
_ONE = f"{_PATH}/{{portfolio_id}}"
_TAKEN = frozenset({LedgerKind.WITHDRAWAL, LedgerKind.FEE})


async def list_portfolios(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """Your portfolios with their figures at the last prices, by name."""
    query = wire.query(request, p.PortfoliosQuery)
    if query.account_id is not None:
        seen.account(query.account_id)
    found = [
        held
        for held in seen.portfolios()
        if query.account_id in (None, *held.portfolio.account_ids) and (query.archived or not held.portfolio.archived)
    ]
    found.sort(key=lambda held: held.portfolio.name.casefold())
    return wire.Json(s.Page([p.portfolio(seen.state, held) for held in found]))


async def create_portfolio(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Makes a portfolio. It has a book of its own in each of its accounts, by whose id orders name it."""
    given, received, fields = await wire.body(request, p.NewPortfolio), time.time_ns(), wire.Fields()
    _check_accounts(seen, given.accounts, "accounts", fields=fields)
    cash = fields.required("cash", given.cash, "not-negative")
    tolerance = fields.number("risk_tolerance", given.risk_tolerance, "share")
    largest = fields.number("max_position", given.max_position, "share")
    fields.check("the portfolio is not valid")
    made = Portfolio(
        id=Random().public(received, 0, "portfolio"),
        user_id=seen.user.id,
        name=given.name,
        currency=seen.account(given.accounts[0]).account.currency,
        account_ids=tuple(given.accounts),
        strategy=given.strategy,
        risk_tolerance=HALF if tolerance is None else tolerance,
    )
    adopted = [place for one in given.adopt for place in _places(seen, made, p.Adoption(one))]
    command = CreatePortfolio(
        portfolio=made,
        rules=RuleSet(max_position_share=largest, max_gross_leverage=ONE),
        cash=cash,
        adopt=tuple(adopted),
        provenance=seen.provenance(received),
    )
    return await _answer(parts, command, made.id, status=201)


def _check_accounts(seen: Tenant, given: list[str], field: str, *, fields: wire.Fields) -> None:
    fields.faults += [
        unknown_account(seen, f"{field}.{place}", one) for place, one in enumerate(given) if not seen.owns(one)
    ]


async def _answer(parts: AppParts, command: AnyCommand | None, portfolio_id: str, *, status: int = 200) -> Response:
    """The portfolio as a command has left it."""
    if command is not None:
        await parts.runner.submit(command)
    state = parts.runner.state
    headers = {"location": f"{_PATH}/{portfolio_id}"} if status == 201 else None
    return wire.Json(p.portfolio(state, state.portfolio(portfolio_id)), status, headers)


async def get_portfolio(portfolio_id: str, seen: Tenant = Depends(tenant)) -> Response:
    """One portfolio with its figures at the last prices."""
    return wire.Json(p.portfolio(seen.state, seen.portfolio(portfolio_id)))


async def change_portfolio(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Renames it, changes its notes and its largest position, and has it trade further accounts. Its other limits are
    those of the scope `portfolio` in /risk/limits."""
    given, fields, received = await wire.body(request, p.PortfolioChangeIn), wire.Fields(), time.time_ns()
    seen.portfolio(portfolio_id)
    _check_accounts(seen, given.add_accounts, "add_accounts", fields=fields)
    tolerance = fields.number("risk_tolerance", given.risk_tolerance, "share")
    largest = fields.number("max_position", given.max_position, "share")
    fields.check("the change is not valid")
    change = PortfolioChange(
        name=None if isinstance(given.name, UnsetType) else given.name,
        strategy=None if isinstance(given.strategy, UnsetType) else given.strategy,
        risk_tolerance=tolerance,
        account_ids=tuple(given.add_accounts),
    )
    provenance = seen.provenance(received)
    await parts.runner.submit(ChangePortfolio(portfolio_id=portfolio_id, change=change, provenance=provenance))
    limits = None
    if bytes(given.max_position):
        rules = replace(p.rules_of(parts.runner.state, portfolio_id), max_position_share=largest)
        scope = LimitScope(Layer.PORTFOLIO, portfolio_id)
        limits = SetScopeLimits(scope=scope, rules=rules, provenance=provenance)
    return await _answer(parts, limits, portfolio_id)


async def archive_portfolio(
    portfolio_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Takes a portfolio out of use; its history stays. 409 while it has cash, positions, orders or adopted books."""
    seen.portfolio(portfolio_id)
    command = ArchivePortfolio(portfolio_id=portfolio_id, provenance=seen.provenance(time.time_ns()))
    return await _answer(parts, command, portfolio_id)


async def restore_portfolio(
    portfolio_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Puts an archived portfolio back into use."""
    seen.portfolio(portfolio_id)
    command = ArchivePortfolio(portfolio_id=portfolio_id, restore=True, provenance=seen.provenance(time.time_ns()))
    return await _answer(parts, command, portfolio_id)


async def adopt_book(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has a strategy's book count as a part of the portfolio from now on: its positions, its cash and its limits. 409
    for a book that belongs to another portfolio, and where the strategy trades none of its accounts."""
    return await _adopted(portfolio_id, request, seen, parts, release=False)


async def release_book(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has a strategy's book count no more; what it holds stays the strategy's."""
    return await _adopted(portfolio_id, request, seen, parts, release=True)


async def _adopted(portfolio_id: str, request: Request, seen: Tenant, parts: AppParts, *, release: bool) -> Response:
    given, provenance = await wire.body(request, p.Adoption), seen.provenance(time.time_ns())
    held = seen.portfolio(portfolio_id)
    places = _places(seen, held.portfolio, given)
    if release and given.account_id is None:
        places = [Place(account_id, book) for account_id, book in held.books if book == given.strategy]
    if not places:
        raise Conflict(f"{held.portfolio.name} and the strategy have no account in common")
    for place in places:
        command = AdoptBook(
            portfolio_id=portfolio_id,
            account_id=place.account_id,
            book=place.book,
            release=release,
            provenance=provenance,
        )
        await parts.runner.submit(command)
    return await _answer(parts, None, portfolio_id)


def _places(seen: Tenant, this: Portfolio, given: p.Adoption) -> list[Place]:
    """The books that an adoption means, those that this portfolio has already left out."""
    deployment = seen.deployment(given.strategy).deployment
    if given.account_id is not None:
        return [Place(given.account_id, deployment.id)]
    trades = {one.account_id for one in deployment.accounts}
    common = [name for name in this.account_ids if name in trades]
    return [Place(name, deployment.id) for name in common if seen.state.owners.get((name, deployment.id)) != this.id]


async def record_transaction(
    portfolio_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Books cash into the portfolio, or out of it: what came from outside, or was earned or charged beside trading."""
    given, fields, received = await wire.body(request, p.TransactionIn), wire.Fields(), time.time_ns()
    this = seen.portfolio(portfolio_id).portfolio
    amount, kind = fields.required("amount", given.amount), LedgerKind(given.kind)
    account_id = given.account_id or this.account_ids[0]
    if given.account_id is None and len(this.account_ids) > 1:
        fields.fault("account_id", f"{this.name} trades {len(this.account_ids)} accounts: say which")
    elif account_id not in this.account_ids:
        fields.fault("account_id", f"{this.name} does not trade this account")
    fields.check("the transaction is not valid")
    command = MoveCash(
        account_id=account_id,
        book=portfolio_id,
        amount=neg(amount) if kind in _TAKEN else amount,
        kind=kind,
        component=given.note,
        provenance=seen.provenance(received),
    )
    return await _answer(parts, command, portfolio_id, status=201)


async def transfer_cash(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Moves cash between portfolios, or between a portfolio and its account, in one account or between two of one
    currency. Both lines of the ledger are booked, or none; they add up to nothing."""
    given, fields, received = await wire.body(request, p.TransferIn), wire.Fields(), time.time_ns()
    for name, one in (("from_account", given.from_account), ("to_account", given.to_account)):
        if not seen.owns(one):
            fields.faults.append(unknown_account(seen, name, one))
    amount = fields.required("amount", given.amount)
    fields.check("the transfer is not valid")
    command = TransferCash(
        source=Place(given.from_account, given.from_book),
        target=Place(given.to_account, given.to_book),
        amount=amount,
        note=given.note,
        provenance=seen.provenance(received),
    )
    await parts.runner.submit(command)
    state = parts.runner.state
    named = dict.fromkeys((given.from_account, given.to_account))
    return wire.Json(s.Page([views.account(state, state.account(one)) for one in named]), 201)


_MADE = (
    Link("get_portfolio", "portfolio_id"), Link("list_portfolio_positions", "portfolio_id"),
    Link("list_performance", "portfolio_id"),
)  # fmt: skip
_ANSWERS = {200: p.PortfolioOut}
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_portfolios, needs=Permission.READ, summary="Portfolios",
             tag="portfolio", query=p.PortfoliosQuery, answers={200: s.Page[p.PortfolioOut]}, errors=(404,)),
    Endpoint(method="POST", path=_PATH, handler=create_portfolio, needs=Permission.MANAGE,
             summary="Make a portfolio", tag="portfolio", body=p.NewPortfolio, answers={201: p.PortfolioOut},
             errors=(404, 409), links=_MADE),
    Endpoint(method="POST", path=f"{_PATH}/transfers", handler=transfer_cash, needs=Permission.MANAGE,
             summary="Move cash between books", tag="portfolio", body=p.TransferIn,
             answers={201: s.Page[s.AccountOut]}),
    Endpoint(method="GET", path=_ONE, handler=get_portfolio, needs=Permission.READ, summary="A portfolio",
             tag="portfolio", answers=_ANSWERS),
    Endpoint(method="PATCH", path=_ONE, handler=change_portfolio, needs=Permission.MANAGE,
             summary="Change a portfolio", tag="portfolio", body=p.PortfolioChangeIn, answers=_ANSWERS, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/archive", handler=archive_portfolio, needs=Permission.MANAGE,
             summary="Archive a portfolio", tag="portfolio", answers=_ANSWERS, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/restore", handler=restore_portfolio, needs=Permission.MANAGE,
             summary="Restore a portfolio", tag="portfolio", answers=_ANSWERS),
    Endpoint(method="POST", path=f"{_ONE}/adopt", handler=adopt_book, needs=Permission.MANAGE,
             summary="Adopt a strategy's book", tag="portfolio", body=p.Adoption, answers=_ANSWERS, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/release", handler=release_book, needs=Permission.MANAGE,
             summary="Release a strategy's book", tag="portfolio", body=p.Adoption, answers=_ANSWERS, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/transactions", handler=record_transaction, needs=Permission.MANAGE,
             summary="Record a transaction", tag="portfolio", body=p.TransactionIn, answers={201: p.PortfolioOut},
             errors=(409,)),
)  # fmt: skip
