"""Speaks to the running owner of a home over its private socket, where the file's permission is the sign-in."""

import json
import os
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from evenkeel.cli.common import HOME_VARIABLE, resolve_home
from evenkeel.domain.errors import (
    BrokerUnavailable,
    ChangeRefused,
    Conflict,
    EvenkeelError,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    NotReady,
)

SOCKET = "evenkeel.sock"
HOME = "--home"
_COMMANDS = {
    "GET /api/v2/market/symbols lists": "`evenkeel market symbols` lists",
    "GET /api/v2/strategies lists": "`evenkeel strategy list` lists",
    "POST /api/v2/trading/routes declares": "`evenkeel route set` declares",
}
_UNCERTAIN = "Look with `evenkeel status` and `evenkeel order list` before you try again."
_LONGEST_PATH = 100
_BY_STATUS: dict[int, type[EvenkeelError]] = {404: NotFound, 409: Conflict, 502: BrokerUnavailable, 503: NotReady}


def socket_path(home: Path) -> Path:
    """Where the owner of `home` listens for the command line: in the home, or, where that path is longer than
    sockets allow, in a private folder of this user."""
    path = home.absolute() / SOCKET
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    folder = Path(tempfile.gettempdir()) / f"evenkeel-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise Forbidden(f"{folder} is not private to this user", hint="Remove it, or choose a shorter --home.")
    return folder / f"{sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


class NothingRuns(NotReady):
    """Nobody listens on this home: no process owns it."""


class Client:
    """Calls of the API v2. Raises the error that the answer stands for, or NotReady when nothing is running.

    `options` names the options that stand for fields of a request, so that a fault is told in the user's own words:
    the entry of `rules.lock_in` stands for `rules.lock_in.0.floor` too, where nothing nearer is named.
    """

    def __init__(self, home: Path, timeout: float = 30.0, *, options: Mapping[str, str] | None = None) -> None:
        self.home = home
        self._timeout = timeout
        self._options = options or {}

    def get(self, path: str, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return self.call("GET", f"{path}?{urlencode(given)}" if given else path)

    def pages(self, path: str, *, limit: int, **query: Any) -> list[dict[str, Any]]:
        """Up to `limit` items of a list, over as many pages as it takes."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(items) < limit:
            page = self.get(path, limit=min(limit - len(items), 500), cursor=cursor, **query)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return items

    def call(self, method: str, path: str, body: Any = None) -> Any:
        from evenkeel.cli.connection import Connection, HTTPException

        connection = Connection(socket_path(self.home), self._timeout)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            connection.request(method, f"/api/v2{path}", json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            text = response.read()
            answer = json.loads(text) if text else None
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NothingRuns(f"nothing is running on {self.home}", hint=_who_runs(self.home)) from error
        except PermissionError as error:
            hint = f"Its owner's files are private: run this as the user who started it, or name another with {HOME}."
            raise Forbidden(f"{self.home} belongs to another user", hint=hint) from error
        except TimeoutError as error:
            why = f"the server of {self.home} did not answer within {self._timeout:g} seconds"
            raise NotReady(why, hint=_UNCERTAIN) from error
        except (ConnectionError, HTTPException, ValueError) as error:
            raise NotReady(f"the server of {self.home} went away while it answered", hint=_UNCERTAIN) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise self._error(response.status, answer)
        return answer

    def _option(self, field: str) -> str:
        """The option that stands for a field, or for the nearest thing that the field is a part of."""
        if field in self._options:
            return self._options[field]
        names = [name for name in field.split(".") if not name.isdigit()]
        parts = (".".join(names[:count]) for count in range(len(names), 0, -1))
        return next((self._options[part] for part in parts if part in self._options), field)

    def _error(self, status: int, problem: Any) -> EvenkeelError:
        fields = problem if isinstance(problem, dict) else {}
        message = str(fields.get("detail") or fields.get("title") or f"the server answered {status}")
        hint = fields.get("hint")
        if status >= 500 and fields.get("request_id") and status not in _BY_STATUS:
            hint = f"Look for {fields['request_id']} in the server's log."
        error: EvenkeelError
        if status in (400, 413, 415, 422):
            faults = tuple(
                FieldError(self._option(str(one["field"])), _in_commands(str(one["message"])))
                for one in fields.get("errors", ())
            )
            error = InvalidInput(message, errors=faults, hint=hint)
        elif fields.get("rule"):
            check = {name: str(fields[name]) for name in ("rule", "layer", "limit", "value")}
            error = ChangeRefused(message, hint=hint, **check)
        else:
            error = _BY_STATUS.get(status, EvenkeelError)(message, hint=hint)
        error.code = str(fields.get("code", error.code))
        return error


def _in_commands(message: str) -> str:
    """A message of the API with the commands that stand for its addresses."""
    for address, command in _COMMANDS.items():
        message = message.replace(address, command)
    return message


def _who_runs(home: Path) -> str:
    """What to do when nothing runs on `home`; where the demo runs in its usual place, how to speak to that one."""
    demo = resolve_home(None, "demo")
    if home != demo and (demo / SOCKET).exists():
        return f"The demo seems to run. To speak to it, add {HOME} {demo}, or set {HOME_VARIABLE} to that folder."
    return f"Start it with `evenkeel up`, or name the right folder with {HOME}."


def find(items: list[dict[str, Any]], wanted: str, *, what: str) -> dict[str, Any]:
    """The one item whose id or name is `wanted` (a beginning of the id will do). Raises NotFound, InvalidInput."""
    close = (
        [item for item in items if wanted in (item["id"], item.get("name"))]
        or [item for item in items if wanted.casefold() == str(item.get("name", "")).casefold()]
        or [item for item in items if wanted and item["id"].startswith(wanted)]
    )
    if not close:
        names = ", ".join(str(item.get("name", item["id"])) for item in items)
        raise NotFound(f"there is no {what} {wanted!r}", hint=f"There are: {names}." if names else "There is none yet.")
    if len(close) > 1:
        meant = ", ".join(f"{item.get('name', '')} {item['id']}".strip() for item in close)
        raise InvalidInput(f"{wanted!r} names more than one {what}", hint=f"Give the id: {meant}.")
    return close[0]


def path_of(*parts: str) -> str:
    """A path of the API with its parts escaped."""
    return "/" + "/".join(quote(part, safe="") for part in parts)
