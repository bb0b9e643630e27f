"""The channel `risk`: levels of mark-to-market control as prices move them, and scopes that a limit holds back."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from evenkeel.domain.limits import Layer, Tier
from evenkeel.server import limits, mtm
from evenkeel.server.mtm import LevelOut
from evenkeel.server.ports import Clock
from evenkeel.server.scope import Tenant
from evenkeel.trading.engine import drawdowns, limiting


class StandingOut(Struct):
    """How a scope stands to its limits: how deep its drawdown is, and why no entries are taken until that is lifted."""

    scope: Layer
    scope_id: str | None
    name: str
    tier: Tier
    halted: str | None


class RiskOut(Struct):
    """A `level` with its rules and how far each is, or how a scope stands to its `limits`; `gone` where it has none any
    more."""

    id: str
    kind: Literal["mtm", "limits"]
    level: LevelOut | None = None
    limits: StandingOut | None = None
    gone: bool = False


def risks_of(seen: Tenant, clock: Clock) -> dict[str, RiskOut]:
    """What the channel shows, by id."""
    found = {f"mtm:{one.id}": RiskOut(f"mtm:{one.id}", "mtm", level=one) for one in mtm.levels_of(seen, clock)}
    for scope in limits.scopes(seen):
        standing = drawdowns.standing_of(seen.state, scope)
        halted = limits.halted(standing)
        if standing is not None and (halted is not None or standing.tier is not Tier.NONE):
            name = seen.user.username if scope.kind is Layer.USER else limiting.title(seen.state, scope)
            shown = StandingOut(scope.kind, scope.id or None, name, standing.tier, halted)
            found[f"limits:{scope.key}"] = RiskOut(f"limits:{scope.key}", "limits", limits=shown)
    return found


def news(known: Mapping[str, RiskOut], found: Mapping[str, RiskOut]) -> list[RiskOut]:
    """What has changed, and what is gone; a cool-down that runs is no news."""
    changed = [one for name, one in found.items() if name not in known or _still(known[name], one) != one]
    return [*changed, *(RiskOut(name, one.kind, gone=True) for name, one in known.items() if name not in found)]


def _still(known: RiskOut, now: RiskOut) -> RiskOut:
    if known.level is None or now.level is None:
        return known
    return replace(known, level=replace(known.level, cooldown_left=now.level.cooldown_left))
