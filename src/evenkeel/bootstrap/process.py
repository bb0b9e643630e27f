"""What a process that owns a home is made of, whatever it does there: its brokers, its loop, its last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evenkeel.market.feeds.ports import Feed
    from evenkeel.trading.brokers.ports import Broker
    from evenkeel.trading.engine.state import State

SIMULATED = "simulated"
log = structlog.get_logger(__name__)


def brokers(state: State, feed: Feed | None, socket: Path | None) -> Mapping[str, Broker]:
    """The simulated broker: in this process, made of what the journal says, or the one that listens at `socket`."""
    from evenkeel.trading.brokers.registry import BrokerSetup, build
    from evenkeel.trading.live.simulated import recall_marks, standing

    if feed is not None:
        recall_marks(state, feed)
    stands = standing(state, SIMULATED)
    if socket is None:
        return {SIMULATED: build(SIMULATED, BrokerSetup(standing=stands))}
    return {SIMULATED: build("simulated-process", BrokerSetup(standing=stands, options={"socket": str(socket)}))}


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
