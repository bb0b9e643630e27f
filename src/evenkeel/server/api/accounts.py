"""Accounts: their figures, equity history and cash ledger, and opening a paper account."""

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

from fastapi import Depends, Request, Response
from msgspec import Raw, UnsetType
from msgspec.structs import asdict, replace

from evenkeel.desk.permissions import Permission
from evenkeel.domain import clock
from evenkeel.domain.accounts import Account, Financing, LedgerKind, SendRate
from evenkeel.domain.commands import MoveCash, OpenAccount, OpenLiveAccount, SetLimits
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.money import CURRENCIES, neg
from evenkeel.quant.costs.schedules import SCHEDULES, find_schedule
from evenkeel.server import halting, requests, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.account_scope import AccountsFilter, chosen
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.gate import require_fresh
from evenkeel.server.parts import AppParts
from evenkeel.server.ports import LedgerRow
from evenkeel.server.raising import difference, raises
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.server.terms import fill_terms

_PATH = f"{PREFIX}/accounts"
BROKER = "simulated"
T = TypeVar("T")


async def list_accounts(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Your accounts, in use or not, that fit everything given."""
    found = chosen(seen, parts.directory, wanted=wire.query(request, AccountsFilter))
    return wire.Json(s.Page([views.account(seen.state, held) for held in found]))


async def get_account(account_id: str, seen: Tenant = Depends(tenant)) -> Response:
    """One account with its figures at the last prices."""
    return wire.Json(views.account(seen.state, seen.account(account_id)))


async def open_account(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Opens a paper account with a first deposit."""
    seen.require_everything()
    given = await wire.body(request, requests.NewAccount)
    fields = wire.Fields()
    cash = fields.required("cash", given.cash, "not-negative")
    check_currency(given.currency, fields)
    check_fees(given.fees, fields)
    fields.check("the account cannot be opened")
    received = time.time_ns()
    account = Account(
        id=Random().public(received, 0, "account"),
        user_id=seen.user.id,
        name=given.name,
        broker=BROKER,
        currency=given.currency,
        type=given.type,
        costs=given.fees,
        limits=parts.limits,
        financing=None if given.financing is None else Financing(**asdict(given.financing)),
        terms=fill_terms(given.terms),
    )
    command = OpenAccount(account=account, initial_cash=cash, provenance=seen.provenance(received))
    return await opened(command, seen, parts, cash=cash)


async def opened(command: OpenAccount | OpenLiveAccount, seen: Tenant, parts: AppParts, *, cash: Decimal) -> Response:
    """Opens the account of a command, with a row in the audit log, and shows it."""
    account = command.account
    after = {name: getattr(account, name) for name in ("name", "broker", "mode", "currency")} | {"cash": cash}
    await parts.trail.note(seen.user.id, "open_account", subject=account.id, after=after)
    outcome = await parts.runner.submit(command)
    found = views.account(parts.runner.state, parts.runner.state.account(outcome.id))
    return wire.Json(found, 201, {"location": f"{_PATH}/{outcome.id}"})


def check_currency(name: str, fields: wire.Fields) -> None:
    """Notes a fault where no currency has this name."""
    if name not in CURRENCIES:
        fields.fault("currency", f"no currency is called {name}; USD, EUR, INR and BTC are some")


def check_fees(name: str, fields: wire.Fields) -> None:
    """Notes a fault where no cost schedule, nor a variant of one, has this name."""
    try:
        find_schedule(name)
    except (NotFound, InvalidInput) as error:
        known = f"must be one of {', '.join(SCHEDULES)}"
        fields.fault("fees", known if isinstance(error, NotFound) else error.message.removeprefix("fees: "))


async def change_limits(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Changes the account's limits; recorded with who did it. Null turns a check off, and the desk shows it in red."""
    given = await wire.body(request, requests.LimitsChange)
    held = seen.account(account_id)
    fields = wire.Fields()
    limits = replace(
        held.limits,
        max_position_share=_share(
            fields, "max_position_share", given.max_position_share, held.limits.max_position_share
        ),
        daily_loss=_share(fields, "daily_loss", given.daily_loss, held.limits.daily_loss),
        max_trades_per_day=_kept(given.max_trades_per_day, held.limits.max_trades_per_day),
        allow_short=_kept(given.allow_short, held.limits.allow_short),
        cash_check=_kept(given.cash_check, held.limits.cash_check),
        maintenance=_share(fields, "maintenance", given.maintenance, held.limits.maintenance),
        rate=_rate(given.rate, held.limits.rate),
    )
    fields.check("the limits are not valid")
    if raises(held.limits, limits):
        require_fresh(seen.by, parts)
    was, new = difference(held.limits, limits)
    await parts.trail.note(seen.user.id, "change_limits", subject=held.account.id, before=was, after=new)
    provenance = seen.provenance(time.time_ns())
    await parts.runner.submit(SetLimits(account_id=held.account.id, limits=limits, provenance=provenance))
    return wire.Json(views.account(parts.runner.state, parts.runner.state.account(account_id)))


def _share(fields: wire.Fields, name: str, raw: Raw, known: Decimal | None) -> Decimal | None:
    return known if not bytes(raw) else fields.number(name, raw, "share")


def _rate(given: requests.RateIn | UnsetType | None, known: SendRate | None) -> SendRate | None:
    if isinstance(given, UnsetType):
        return known
    return None if given is None else SendRate(given.per_second, given.burst, given.reserved, given.queue)


async def get_health(account_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """How the account stands with its broker: readiness, halts, and what waits to be sent."""
    return wire.Json(halting.health(parts.runner, seen.account(account_id)))


def _kept(given: T | UnsetType, known: T) -> T:
    return known if isinstance(given, UnsetType) else given


async def move_cash(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Books a deposit or withdrawal of a paper account."""
    given = await wire.body(request, requests.CashMove)
    held = seen.account(account_id)
    fields = wire.Fields()
    amount = fields.required("amount", given.amount)
    fields.check("the amount is not valid")
    kind = LedgerKind(given.kind)
    signed = neg(amount) if kind is LedgerKind.WITHDRAWAL else amount
    provenance = seen.provenance(time.time_ns())
    after = {"kind": kind, "amount": signed, "currency": held.account.currency}
    await parts.trail.note(seen.user.id, "move_cash", subject=held.account.id, after=after)
    await parts.runner.submit(MoveCash(account_id=held.account.id, amount=signed, kind=kind, provenance=provenance))
    return wire.Json(views.account(parts.runner.state, parts.runner.state.account(account_id)), 201)


async def list_equity(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The account's equity at the end of each of its days, newest first."""
    query = wire.query(request, requests.PageQuery)
    held = seen.account(account_id)
    rows, cursor = await parts.history.equity((held.account.id,), limit=query.limit, cursor=query.cursor)
    return wire.Json(s.Page([views.equity_point(seen.state, row) for row in rows], cursor))


async def list_ledger(
    account_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every movement of the account's cash, newest first. The balance is the sum of all amounts."""
    query = wire.query(request, requests.PageQuery)
    held = seen.account(account_id)
    rows, cursor = await parts.history.ledger(held.account.id, limit=query.limit, cursor=query.cursor)
    return wire.Json(s.Page([_line(row) for row in rows], cursor))


def _line(row: LedgerRow) -> s.LedgerOut:
    return s.LedgerOut(
        id=row.id,
        at=clock.iso(row.at),
        value_date=row.value_date.isoformat(),
        kind=row.kind,
        component=row.component,
        amount=views.text(row.amount),
        currency=row.currency,
        book=row.book,
        order_id=row.order_id,
    )


def unknown_account(seen: Tenant, field: str, account_id: str) -> FieldError:
    """A fault for an account that is not there. Raises Forbidden for one that is shared for less than this needs."""
    seen.require_shared(account_id)
    return FieldError(field, f"there is no account {account_id!r}")


def check_accounts(seen: Tenant, given: Sequence[requests.AllocationIn]) -> None:
    """Raises InvalidInput naming each account that is not the user's, or that is another person's than the first."""
    faults = tuple(
        unknown_account(seen, f"accounts.{place}.account_id", one.account_id)
        for place, one in enumerate(given)
        if not seen.owns(one.account_id)
    )
    if not faults:
        owners = [seen.state.accounts[one.account_id].account.user_id for one in given]
        faults = tuple(
            FieldError(f"accounts.{place}.account_id", "belongs to another person than the first account")
            for place, owner in enumerate(owners)
            if owner != owners[0]
        )
    if faults:
        raise InvalidInput("the allocation is not valid", errors=faults)


_LINKS = (
    Link("get_account", "account_id"), Link("list_equity", "account_id"), Link("list_ledger", "account_id"),
)  # fmt: skip
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_accounts, needs=Permission.READ, summary="Accounts",
             tag="accounts", query=AccountsFilter, answers={200: s.Page[s.AccountOut]}, errors=(404,)),
    Endpoint(method="POST", path=_PATH, handler=open_account, needs=Permission.MANAGE, summary="Open a paper account",
             tag="accounts", body=requests.NewAccount, answers={201: s.AccountOut}, errors=(409,), links=_LINKS),
    Endpoint(method="GET", path=f"{_PATH}/{{account_id}}", handler=get_account, needs=Permission.READ,
             summary="An account", tag="accounts", answers={200: s.AccountOut}),
    Endpoint(method="GET", path=f"{_PATH}/{{account_id}}/health", handler=get_health, needs=Permission.READ,
             summary="An account's health", tag="accounts", answers={200: halting.HealthOut}),
    Endpoint(method="PATCH", path=f"{_PATH}/{{account_id}}/limits", handler=change_limits, needs=Permission.MANAGE,
             summary="Change limits", tag="accounts", body=requests.LimitsChange, answers={200: s.AccountOut}),
    Endpoint(method="POST", path=f"{_PATH}/{{account_id}}/cash", handler=move_cash, needs=Permission.MANAGE,
             summary="Deposit or withdraw", tag="accounts", body=requests.CashMove, answers={201: s.AccountOut}),
    Endpoint(method="GET", path=f"{_PATH}/{{account_id}}/equity", handler=list_equity, needs=Permission.READ,
             summary="Equity history", tag="accounts", query=requests.PageQuery, answers={200: s.Page[s.EquityOut]},
             projected=True),
    Endpoint(method="GET", path=f"{_PATH}/{{account_id}}/ledger", handler=list_ledger, needs=Permission.READ,
             summary="Cash ledger", tag="accounts", query=requests.PageQuery, answers={200: s.Page[s.LedgerOut]},
             projected=True),
)  # fmt: skip
