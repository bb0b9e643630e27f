"""What a process that owns a home is made of, whatever it does there: its brokers, its loop, its last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from evenkeel.market.feeds.ports import Feed
    from evenkeel.trading.brokers.credentials import Credentials
    from evenkeel.trading.brokers.egress import Egress
    from evenkeel.trading.brokers.ports import Broker
    from evenkeel.trading.engine.state import State

SIMULATED = "simulated"
log = structlog.get_logger(__name__)


def live_brokers(names: Sequence[str], credentials: Credentials, *, egress: Egress) -> Mapping[str, Broker]:
    """The adapters that trade for real, by name; without a name none is imported. Raises NotFound, and Forbidden for
    one that simulates.
    """
    from evenkeel.domain.errors import Forbidden
    from evenkeel.trading.brokers.discreet import Discreet
    from evenkeel.trading.brokers.registry import BrokerSetup, build

    built = {name: build(name, BrokerSetup(credentials=credentials, egress=egress)) for name in names}
    for name, broker in built.items():
        if broker.profile.is_simulated:
            raise Forbidden(f"{name} simulates: it is no broker for live accounts", hint="See EVENKEEL_LIVE_BROKERS.")
    return {name: Discreet(broker) for name, broker in built.items()}


def brokers(
    state: State, feed: Feed | None, socket: Path | None, options: Mapping[str, str] | None = None
) -> Mapping[str, Broker]:
    """The simulated broker: in this process, made of what the journal says, or the one that listens at `socket`;
    with `options` for either."""
    from evenkeel.trading.brokers.registry import BrokerSetup, build
    from evenkeel.trading.live.simulated import recall_marks, standing

    if feed is not None:
        recall_marks(state, feed)
    stands, given = standing(state, SIMULATED), dict(options or {})
    if socket is None:
        return {SIMULATED: build(SIMULATED, BrokerSetup(standing=stands, options=given))}
    given["socket"] = str(socket)
    return {SIMULATED: build("simulated-process", BrokerSetup(standing=stands, options=given))}


def lost(shard: str, reason: str) -> None:
    """Nothing more can be committed, so nothing more gets out; the next commit halts the runner."""
    log.critical("this process no longer owns its accounts", shard=shard, reason=reason)


def loop_factory() -> Any:
    """uvloop's where it is installed, else None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
