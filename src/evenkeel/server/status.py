"""How the installation stands: its status, its feed, and whether it is ready."""

from typing import Literal

from msgspec import Struct

from evenkeel.domain import clock
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.live import Custody
from evenkeel.server import schemas as s
from evenkeel.server import views
from evenkeel.server.parts import AppParts
from evenkeel.server.ports import Feed
from evenkeel.server.scope import Tenant
from evenkeel.trading.engine.state import State

MOST_LAG = 50_000


class JournalOut(Struct):
    seq: int
    lag: int


class HostOut(Struct):
    """Where one user's strategies run; `id` is the user's. `behind` counts moments of the market; times in ms."""

    id: str
    pid: int | None
    strategies: list[str]
    restarts: int
    behind: int
    last_ms: float
    longest_ms: float


class StatusOut(Struct):
    """`live_trading`: an account whose orders are real is switched on. `halted`: why nothing is taken any more."""

    id: str
    name: str
    version: str
    mode: Literal["demo", "up"]
    clock: s.Moment
    live_trading: bool
    healthy: bool
    halted: str | None
    feed: s.FeedOut
    journal: JournalOut
    accounts_ready: int
    accounts_total: int
    started_at: s.Moment


class Health(Struct):
    status: str


class ReadinessCheck(Struct):
    name: str
    ok: bool
    detail: str


class ReadyOut(Struct):
    ready: bool
    checks: list[ReadinessCheck]


def feed(source: Feed, state: State) -> s.FeedOut:
    """The feed's controls, and the symbols of which no price has come for too long."""

    def moment(at: int | None) -> str | None:
        return None if at is None else clock.iso(at)

    return s.FeedOut(
        id="feed",
        kind=source.kind,  # type: ignore[arg-type]
        state=source.state,  # type: ignore[arg-type]
        speed=views.text(source.speed),
        cursor=moment(source.cursor),
        start=moment(source.start),
        end=moment(source.end),
        stalled=bool(state.marks.stalled),
        silent=[state.instruments[one].symbol for one in state.marks.silent if one in state.instruments],
    )


def now(parts: AppParts) -> int:
    """Engine time: of the last slice where a feed has a time of its own, else the wall clock."""
    return parts.runner.clock.now()


def hosts(source: Feed, seen: Tenant) -> list[HostOut]:
    """Where strategies run: all of them for the owner, for others their own."""
    return [
        HostOut(
            id=one.user_id,
            pid=one.pid,
            strategies=list(one.deployments),
            restarts=one.restarts,
            behind=one.behind,
            last_ms=round(one.last * 1000, 3),
            longest_ms=round(one.longest * 1000, 3),
        )
        for one in source.hosts()
        if one.deployments and (seen.is_admin or seen.is_self(one.user_id))
    ]


def status(parts: AppParts, lag: int) -> StatusOut:
    state = parts.runner.state
    accounts = state.accounts.values()
    identity = parts.identity
    return StatusOut(
        id=identity.id,
        name=identity.name,
        version=identity.version,
        mode="demo" if identity.mode == "demo" else "up",
        clock=clock.iso(now(parts)),
        live_trading=any(not held.account.is_simulated and not held.is_off for held in accounts),
        healthy=parts.runner.healthy,
        halted=None if parts.runner.failure is None else str(parts.runner.failure),
        feed=feed(parts.feed, state),
        journal=JournalOut(parts.runner.committed_seq, lag),
        accounts_ready=sum(1 for held in accounts if held.readiness is Readiness.READY),
        accounts_total=len(accounts),
        started_at=clock.iso(identity.started_at),
    )


async def readiness(parts: AppParts) -> ReadyOut:
    """Every check of /readyz with what it found."""
    lag, fault = await parts.history.lag(), parts.history.fault()
    behind = lag > MOST_LAG
    checks = [
        ReadinessCheck("journal", parts.runner.healthy, "commits" if parts.runner.healthy else "trading has halted"),
        _accounts(parts.runner.state),
        ReadinessCheck("projections", fault is None and not behind, fault or f"{lag} records behind"),
    ]
    return ReadyOut(all(check.ok for check in checks), checks)


def _accounts(state: State) -> ReadinessCheck:
    """Without names: whoever asks may not have signed in. What waits for its owner to come in here is left out: an
    account that is not switched live, and one whose credentials only its owner opens."""
    held_here = state.accounts.values()
    accounts = [held for held in held_here if not held.is_off and held.custody is not Custody.ATTENDED]
    waiting = sum(held.readiness is not Readiness.READY for held in accounts)
    told = f"{waiting} of {len(accounts)} are not ready" if waiting else "reconciled"
    return ReadinessCheck("accounts", not waiting, told)
