"""Backups of the home: which there are, and one more now. They are restored with the command line, into a new home."""

from fastapi import Depends, Request, Response
from msgspec import Struct

from evenkeel.desk.backups import Summary
from evenkeel.desk.permissions import Permission
from evenkeel.domain import clock
from evenkeel.server import requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import parts_of

_PATH = f"{PREFIX}/system/backups"


class BackupOut(Struct):
    """The id is its name. `server_keys` are the fingerprints of the keys without which nothing that is sealed in it
    opens; with `has_keys` they lie in it, sealed under a passphrase.
    """

    id: str
    name: str
    made_at: str
    size: int
    records: int
    server_keys: list[str]
    has_keys: bool


async def list_backups(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """The backups of this home, newest first."""
    wire.query(request, requests.NoQuery)
    return wire.Json(s.Page([_shown(one) for one in await parts.backups.all()]))


async def make_backup(parts: AppParts = Depends(parts_of)) -> Response:
    """Backs the home up now, while orders run, and reads the backup back."""
    return wire.Json(_shown(await parts.backups.make()), 201)


def _shown(one: Summary) -> BackupOut:
    made_at = clock.iso(one.made_at)
    return BackupOut(one.name, one.name, made_at, one.size, one.records, list(one.server_keys), one.has_keys)


ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_backups, summary="Backups", tag="system",
             query=requests.NoQuery, answers={200: s.Page[BackupOut]}, needs=Permission.ADMIN),
    Endpoint(method="POST", path=_PATH, handler=make_backup, summary="Back the home up", tag="system",
             answers={201: BackupOut}, errors=(409,), needs=Permission.ADMIN, fresh=True),
)  # fmt: skip
