"""A broker's planned restarts: the engine is told when one begins and when it is over, by the broker's profile."""

from typing import TYPE_CHECKING

from evenkeel.domain.events import BrokerRests
from evenkeel.trading.engine.windows import end_of

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner


class RestartWatch:
    """`look` tells of what has changed since the last look, and of what goes on at the first."""

    def __init__(self, runner: "Runner") -> None:
        self._runner = runner
        self._told: dict[str, int] = {}

    async def look(self) -> None:
        now = self._runner.clock.now()
        for name, broker in self._runner.brokers.items():
            windows = broker.profile.restarts
            until = end_of(windows, now) if windows else 0
            if until != self._told.get(name, 0):
                self._told[name] = until
                self._runner.post(BrokerRests(name, until, connected=broker.is_connected()))
