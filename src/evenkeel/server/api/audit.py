"""The audit log, for whoever keeps the installation."""

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.server import access, wire
from evenkeel.server import schemas as s
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.order_terms import read_moment
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import parts_of

_PATH = f"{PREFIX}/system/audit"


async def list_audit(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Who asked for what, from where, and what it changed, newest first. Orders are not here: they stand in the
    journal with who gave them. `evenkeel audit verify` checks the chain."""
    query = wire.query(request, access.AuditQuery)
    fields = wire.Fields()
    start, end = (
        None if text is None else read_moment(name, text, fields=fields)
        for name, text in (("start", query.start), ("end", query.end))
    )
    fields.check("the query is not valid")
    rows, cursor = await parts.trail.rows.page(
        actor=query.actor,
        action=query.action,
        subject=query.subject,
        start=start,
        end=end,
        limit=query.limit,
        cursor=query.cursor,
    )
    actors = [await parts.shares.users.by_id(one) for one in {row.actor for row in rows}]
    names = {one.id: one.username for one in actors if one is not None}
    return wire.Json(s.Page([access.row_out(row, names) for row in rows], cursor))


ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_audit, needs=Permission.ADMIN, cost=1, summary="The audit log",
             tag="system", query=access.AuditQuery, answers={200: s.Page[access.AuditOut]}),
)  # fmt: skip
