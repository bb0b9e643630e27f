"""People of a home, by the running server's private socket, or where nothing runs by its database.

Where the server runs it does the change itself, so that sessions end at once. Either way it is in the audit log.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evenkeel.cli.client import Client, NothingRuns, path_of
from evenkeel.cli.place import the_database
from evenkeel.domain.clock import iso
from evenkeel.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from evenkeel.desk.invitations import Handed, Invitations
    from evenkeel.desk.ports import Link, Session, User
    from evenkeel.desk.users import People
    from evenkeel.storage.repositories import StoredFactors

T = TypeVar("T")
_USERS = "/users"
_MOST = 10_000
_OPTIONS = {"role": "ROLE", "email": "--email", "hours": "--hours", "networks": "CIDR"}


@dataclass(frozen=True)
class Stopped:
    """What a stopped home lets one do: everything that needs no session."""

    people: "People"
    invitations: "Invitations"
    factors: "StoredFactors[Any]"
    address: str

    async def named(self, name: str) -> "User":
        """By name or id. Raises NotFound."""
        user = await self.people.users.by_name(name) or await self.people.users.by_id(name)
        if user is None:
            raise NotFound(f"there is no user {name!r}", hint="`evenkeel user list` shows them.")
        return user

    async def note(self, action: str, user: "User") -> None:
        """Says in the audit log what is about to be done to a person, as whoever has the home's files."""
        from evenkeel.desk.users import HOME

        await self.people.audit.note(HOME.id, action, subject=user.id, address=HOME.address, agent=HOME.agent)


class Home:
    """The people of one home, whichever way they are reached."""

    def __init__(self, home: Path | None, url: str | None) -> None:
        self.where = the_database(home, url)
        self._client = Client(self.where.home, options=_OPTIONS)

    def people(self) -> list[dict[str, Any]]:
        """Everybody, oldest first."""

        async def stopped(at: Stopped) -> list[dict[str, Any]]:
            return [person(user) for user in await at.people.everyone()]

        return self._either(lambda: self._client.pages(_USERS, limit=100_000), stopped)

    def one(self, name: str) -> dict[str, Any]:
        """By name or id. Raises NotFound."""
        close = [one for one in self.people() if one["username"].casefold() == name.casefold() or one["id"] == name]
        if not close:
            raise NotFound(f"there is no user {name!r}", hint="`evenkeel user list` shows them.")
        return close[0]

    def invite(self, role: str, *, email: str | None, hours: int) -> dict[str, Any]:
        from evenkeel.desk.users import HOME

        async def stopped(at: Stopped) -> dict[str, Any]:
            handed = await at.invitations.invite(role, email=email, hours=hours, by=HOME)
            return {"invitation": invitation(handed.link), "link": _link(at, handed)}

        body = {"role": role, "email": email, "hours": hours}
        found: dict[str, Any] = self._either(lambda: self._client.call("POST", f"{_USERS}/invitations", body), stopped)
        return found

    def invitations(self) -> list[dict[str, Any]]:
        async def stopped(at: Stopped) -> list[dict[str, Any]]:
            return [invitation(link) for link in await at.invitations.pending()]

        return self._either(lambda: list(self._client.get(f"{_USERS}/invitations")["items"]), stopped)

    def take_back(self, invitation_id: str) -> None:
        from evenkeel.desk.users import HOME

        def running() -> None:
            self._client.call("DELETE", path_of("users", "invitations", invitation_id))

        self._either(running, lambda at: at.invitations.revoke(invitation_id, by=HOME))

    def change(self, name: str, change: dict[str, Any]) -> dict[str, Any]:
        from evenkeel.desk.users import Change

        async def stopped(at: Stopped) -> dict[str, Any]:
            given: dict[str, Any] = {key: tuple(value) if key == "networks" else value for key, value in change.items()}
            return person(await at.people.change((await at.named(name)).id, Change(**given)))

        found: dict[str, Any] = self._either(lambda: self._call("PATCH", name, body=change), stopped)
        return found

    def switch(self, name: str, *, on: bool) -> dict[str, Any]:
        async def stopped(at: Stopped) -> dict[str, Any]:
            user = await at.named(name)
            return person(await (at.people.reactivate if on else at.people.deactivate)(user.id))

        action = "reactivate" if on else "deactivate"
        found: dict[str, Any] = self._either(lambda: self._call("POST", name, action), stopped)
        return found

    def reset(self, name: str) -> dict[str, Any]:
        from evenkeel.desk.users import HOME

        async def stopped(at: Stopped) -> dict[str, Any]:
            return _link(at, await at.invitations.reset(await at.named(name), by=HOME))

        found: dict[str, Any] = self._either(lambda: self._call("POST", name, "reset"), stopped)
        return found

    def sessions(self, name: str) -> list[dict[str, Any]]:
        import time

        async def stopped(at: Stopped) -> list[dict[str, Any]]:
            user = await at.named(name)
            found, _ = await at.people.tokens.sessions_of(user.id, time.time_ns(), limit=_MOST)
            return [session(one) for one in found]

        def running() -> list[dict[str, Any]]:
            return self._client.pages(path_of("users", self._id(name), "sessions"), limit=_MOST)

        return self._either(running, stopped)

    def end_sessions(self, name: str) -> None:
        async def stopped(at: Stopped) -> None:
            user = await at.named(name)
            await at.note("sessions.end", user)
            await at.people.end_sessions(user.id)

        self._either(lambda: self._call("DELETE", name, "sessions"), stopped)

    def take_away_two_factor(self, name: str) -> None:
        async def stopped(at: Stopped) -> None:
            user = await at.named(name)
            factor = await at.factors.of(user.id)
            if factor is None or factor.confirmed_at is None:
                raise NotFound("this person has no second factor")
            await at.note("two-factor.taken-away", user)
            await at.factors.remove(user.id)
            await at.people.end_sessions(user.id)

        self._either(lambda: self._call("DELETE", name, "two-factor"), stopped)

    def set_password(self, name: str, password: str) -> "User":
        """In the database in any case: no door takes somebody else's password. Sessions end in a running server too."""

        async def change(at: Stopped) -> "User":
            return await at.people.set_password((await at.named(name)).username, password)

        changed = self._by_hand(change)
        try:
            self._call("DELETE", changed.id, "sessions")
        except NothingRuns:
            return changed
        return changed

    def _call(self, method: str, name: str, *parts: str, body: Any = None) -> Any:
        return self._client.call(method, path_of("users", self._id(name), *parts), body)

    def _id(self, name: str) -> str:
        found = self._client.pages(_USERS, limit=100_000)
        close = [one["id"] for one in found if one["username"].casefold() == name.casefold() or one["id"] == name]
        if not close:
            raise NotFound(f"there is no user {name!r}", hint="`evenkeel user list` shows them.")
        return str(close[0])

    def _either(self, running: Callable[[], T], stopped: Callable[[Stopped], Awaitable[T]]) -> T:
        try:
            return running()
        except NothingRuns:
            return self._by_hand(stopped)

    def _by_hand(self, work: Callable[[Stopped], Awaitable[T]]) -> T:
        import asyncio

        from evenkeel.storage.engines import async_engine
        from evenkeel.storage.schema import require_up_to_date

        if self.where.is_sqlite and not self.where.file.exists():
            hint = "Start it once, or name the right folder with --home."
            raise NotFound(f"there is nothing in {self.where.home}", hint=hint)

        async def run() -> T:
            engine = async_engine(self.where)
            try:
                return await work(_stopped(engine, self.where.home))
            finally:
                await engine.dispose()

        require_up_to_date(self.where)
        return asyncio.run(run())


def _stopped(engine: Any, home: Path) -> Stopped:
    from evenkeel.desk.audit import Trail
    from evenkeel.desk.invitations import Invitations
    from evenkeel.desk.passwords import Passwords
    from evenkeel.desk.ports import Link, RefreshToken, SecondFactor, Session, User
    from evenkeel.desk.users import People
    from evenkeel.desk.vault.ports import SealedCredential, VaultRow, Wrap
    from evenkeel.desk.vault.vault import Resets
    from evenkeel.settings import load
    from evenkeel.storage import repositories as stored

    users, tokens = stored.StoredUsers(engine, User), stored.StoredTokens(engine, RefreshToken, Session)
    trail = Trail(stored.StoredAudit(engine, stored.Anchor(home)))
    people = People(users, tokens, Passwords(), audit=trail)
    try:
        settings, _ = load(home)
        address = settings.public_url or f"http://{settings.host}:{settings.port}"
    except InvalidInput:
        address = "http://127.0.0.1:8000"
    people.watchers.append(Resets(stored.StoredVault(engine, VaultRow, Wrap, SealedCredential)))
    invitations = Invitations(stored.StoredLinks(engine, Link), people)
    return Stopped(people, invitations, stored.StoredFactors(engine, SecondFactor), address)


def person(user: "User") -> dict[str, Any]:
    """As the API shows one."""
    return {
        "id": user.id,
        "username": user.username,
        "role": str(user.role),
        "email": user.email,
        "full_name": user.full_name,
        "networks": list(user.networks),
        "is_active": user.is_active,
        "created_at": iso(user.created_at),
        "last_login": iso(user.last_login) if user.last_login is not None else None,
    }


def session(one: "Session") -> dict[str, Any]:
    """As the API shows one."""
    return {
        "id": one.id,
        "since": iso(one.since),
        "seen": iso(one.seen),
        "expires_at": iso(one.expires_at),
        "agent": one.user_agent,
        "address": one.address,
        "current": False,
    }


def invitation(link: "Link") -> dict[str, Any]:
    """As the API shows one."""
    return {
        "id": link.id,
        "role": link.role,
        "email": link.email,
        "created_by": link.created_by,
        "created_at": iso(link.created_at),
        "expires_at": iso(link.expires_at),
    }


def _link(at: Stopped, handed: "Handed") -> dict[str, Any]:
    page = "welcome" if handed.link.kind == "invitation" else "reset"
    return {"address": f"{at.address}/{page}/#{handed.token}", "expires_at": iso(handed.link.expires_at)}
