"""What people change of their own sign-in: password, second factor, sessions. Each asks once more for what they know.

Guesses made here count like those at the door: whoever holds a stolen session may not try passwords with it.
"""

from collections.abc import Sequence

from msgspec import Struct

from evenkeel.desk.auth import Auth
from evenkeel.desk.permissions import Role
from evenkeel.desk.ports import Actor, Session, User
from evenkeel.desk.two_factor import Setup, Standing, TwoFactor, wrong_code
from evenkeel.desk.users import People
from evenkeel.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound, NotReady


class Self(Struct, frozen=True):
    """A person at work on their own sign-in, by one of their sessions (none on the private socket), from somewhere."""

    user: User
    session_id: str = ""
    address: str = ""
    agent: str = ""

    @property
    def actor(self) -> Actor:
        return Actor(self.user.id, self.user.role, self.address, self.agent)


class OwnSignIn:
    """One's own sign-in."""

    def __init__(self, auth: Auth, people: People) -> None:
        self.auth, self.people = auth, people

    @property
    def factors(self) -> TwoFactor:
        """Raises NotReady where this desk has no second factors."""
        if self.auth.admission.factors is None:
            raise NotReady("this desk has no second factors")
        return self.auth.admission.factors

    async def change_password(self, me: Self, *, present: str, new: str) -> User:
        """A new password; all other sessions end. Raises InvalidInput for a wrong present or an unusable new one,
        TooManyAttempts."""
        user = await self._by_password(me, present, field="present")
        if present == new:
            raise InvalidInput("the password cannot be used", errors=(FieldError("password", "is the present one"),))
        changed = await self.people.put_password(user, new, old=present, but=me.session_id or None, by=me.actor)
        self.auth.confirmed(me.session_id)
        return changed

    async def confirm(self, me: Self, *, password: str | None = None, code: str | None = None) -> None:
        """Shows once more who one is; for ten minutes, what asks for it is open. With two factors a password alone
        does not do. Raises InvalidInput, TooManyAttempts."""
        on = self.auth.admission.factors is not None and await self.factors.is_on(me.user.id)
        if code is not None:
            await self._by_code(me, code)
        elif on:
            raise InvalidInput("the code is needed", errors=(FieldError("code", "is required: two factors are on"),))
        elif password is not None:
            await self._by_password(me, password)
        else:
            raise InvalidInput("nothing was given", errors=(FieldError("password", "is required, or a code"),))
        self.auth.confirmed(me.session_id)

    async def standing(self, me: Self) -> Standing:
        return await self.factors.standing(me.user.id)

    async def begin(self, me: Self) -> Setup:
        """A secret for a device, of no effect until `switch_on`. Raises Conflict where there are two factors."""
        return await self.factors.begin(me.user)

    async def begin_at_sign_in(self, ticket: str, address: str) -> Setup:
        """As `begin`, for a sign-in that may not go on without. Raises Unauthenticated, Conflict."""
        pending = await self.auth.waiting(ticket, address)
        if not pending.enrols:
            raise Conflict("two factors are on already", hint="Sign in with a code of your device.")
        return await self.factors.begin(pending.user)

    async def switch_on(self, me: Self, code: str) -> tuple[str, ...]:
        """Switches two factors on by the device's first code; answers the recovery codes, and ends all other sessions.
        Raises InvalidInput, NotFound, Conflict, TooManyAttempts."""
        self.auth.throttle.check_code(me.user.id)
        try:
            await self._note(me, "two-factor.on")
            codes = await self.factors.confirm(me.user.id, code)
        except InvalidInput:
            self.auth.throttle.code_failed(me.user.id)
            raise
        await self.people.end_sessions(me.user.id, but=me.session_id or None)
        return codes

    async def renew_codes(self, me: Self, code: str) -> tuple[str, ...]:
        """Ten new recovery codes for a code. Raises InvalidInput, TooManyAttempts."""
        await self._by_code(me, code)
        await self._note(me, "two-factor.recovery-codes")
        return await self.factors.renew_codes(me.user.id)

    async def switch_off(self, me: Self, *, password: str, code: str) -> None:
        """Takes the password and a code. Raises InvalidInput, TooManyAttempts, Forbidden where one's role must have two
        factors."""
        if self.auth.admission.policy.asks_two_factors(me.user):
            raise Forbidden(f"a {me.user.role} must have two factors here", hint="Enrol another device instead.")
        await self._by_password(me, password)
        await self._by_code(me, code)
        await self._note(me, "two-factor.off")
        await self.factors.remove(me.user.id)

    async def take_away(self, user: User, *, by: Actor) -> None:
        """Ends somebody's second factor, for a device and codes that are lost; a super-admin's matter. Their sessions
        end. Raises Forbidden, NotFound where there is none."""
        self.people.check_rank(by, user.role)
        if by.role != Role.SUPER_ADMIN:
            raise Forbidden("only a super-admin may take away a second factor")
        if not await self.factors.is_on(user.id):
            raise NotFound("this person has no second factor")
        await self.people.audit.note(
            by.id, "two-factor.taken-away", subject=user.id, address=by.address, agent=by.agent
        )
        await self.factors.remove(user.id)
        await self.people.end_sessions(user.id)

    async def sessions(
        self, user_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> tuple[Sequence[Session], str | None]:
        """A person's sessions that go on, the one seen last first, and the cursor of the next page."""
        return await self.auth.tokens.sessions_of(user_id, self.auth.wall(), limit=limit, cursor=cursor)

    async def end_session(self, user_id: str, session_id: str) -> None:
        """Raises NotFound for one that is not theirs, or has ended."""
        found, _ = await self.auth.tokens.sessions_of(user_id, self.auth.wall(), only=session_id)
        if not found:
            raise NotFound(f"there is no session {session_id!r}")
        await self.auth.end(session_id)

    async def _by_password(self, me: Self, password: str, *, field: str = "password") -> User:
        throttle, name = self.auth.throttle, me.user.username
        throttle.check(name, me.address)
        user = await self.people.one(me.user.id)
        fits = await self.auth.passwords.verify(user.password_hash, password)
        throttle.check(name, me.address)
        if not fits:
            throttle.failed(name, me.address)
            raise InvalidInput("the password is wrong", errors=(FieldError(field, "is not the present password"),))
        throttle.succeeded(name, me.address)
        return user

    async def _by_code(self, me: Self, code: str) -> None:
        self.auth.throttle.check_code(me.user.id)
        fits = await self.factors.check(me.user.id, code)
        self.auth.throttle.check_code(me.user.id)
        if not fits:
            self.auth.throttle.code_failed(me.user.id)
            raise wrong_code()
        self.auth.throttle.code_succeeded(me.user.id)

    async def _note(self, me: Self, action: str) -> None:
        await self.people.audit.note(me.user.id, action, subject=me.user.id, address=me.address, agent=me.agent)
