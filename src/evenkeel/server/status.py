"""How the installation stands: its status, its feed, and whether it is ready."""

from evenkeel.domain import clock
from evenkeel.domain.accounts import Readiness
from evenkeel.server import schemas as s
from evenkeel.server import views
from evenkeel.server.parts import AppParts
from evenkeel.server.ports import Feed
from evenkeel.server.scope import Tenant
from evenkeel.trading.engine.state import State

MOST_LAG = 50_000


def feed(source: Feed) -> s.FeedOut:
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
    )


def now(parts: AppParts) -> int:
    """Engine time: of the last slice where a feed has a time of its own, else the wall clock."""
    return parts.runner.clock.now()


def hosts(source: Feed, seen: Tenant) -> list[s.HostOut]:
    """Where strategies run: all of them for the owner, for others their own."""
    return [
        s.HostOut(
            id=one.user_id,
            pid=one.pid,
            strategies=list(one.deployments),
            restarts=one.restarts,
            behind=one.behind,
            last_ms=round(one.last * 1000, 3),
            longest_ms=round(one.longest * 1000, 3),
        )
        for one in source.hosts()
        if one.deployments and (seen.is_owner or one.user_id == seen.user.id)
    ]


def status(parts: AppParts, lag: int) -> s.StatusOut:
    state = parts.runner.state
    accounts = state.accounts.values()
    identity = parts.identity
    return s.StatusOut(
        id=identity.id,
        name=identity.name,
        version=identity.version,
        mode="demo" if identity.mode == "demo" else "up",
        clock=clock.iso(now(parts)),
        live_trading=False,
        healthy=parts.runner.healthy,
        feed=feed(parts.feed),
        journal=s.JournalOut(parts.runner.committed_seq, lag),
        accounts_ready=sum(1 for held in accounts if held.readiness is Readiness.READY),
        accounts_total=len(accounts),
        started_at=clock.iso(identity.started_at),
    )


async def readiness(parts: AppParts) -> s.ReadyOut:
    """Every check of /readyz with what it found."""
    lag, fault = await parts.history.lag(), parts.history.fault()
    behind = lag > MOST_LAG
    checks = [
        s.ReadinessCheck("journal", parts.runner.healthy, "commits" if parts.runner.healthy else "trading has halted"),
        _accounts(parts.runner.state),
        s.ReadinessCheck("projections", fault is None and not behind, fault or f"{lag} records behind"),
    ]
    return s.ReadyOut(all(check.ok for check in checks), checks)


def _accounts(state: State) -> s.ReadinessCheck:
    waiting = [
        f"{held.account.name} is {held.readiness}: {held.readiness_reason or 'not reconciled yet'}"
        for held in state.accounts.values()
        if held.readiness is not Readiness.READY
    ]
    return s.ReadinessCheck("accounts", not waiting, "; ".join(waiting) or "reconciled")
