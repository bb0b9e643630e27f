"""Copy trading put together: what measures for it, and what reads the journal for it, both subscribed to a runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evenkeel.desk.copytrading.copier import Copier
    from evenkeel.desk.copytrading.volatility import Volatilities
    from evenkeel.trading.live.runner import Runner


@dataclass(slots=True)
class Copying:
    """What copies in one run."""

    copier: Copier
    volatilities: Volatilities

    def stop(self) -> None:
        self.copier.stop()


def copying_of(runner: Runner) -> Copying:
    """Call it before the runner starts: what it has missed is read from the journal now."""
    from evenkeel.desk.copytrading.copier import Copier
    from evenkeel.desk.copytrading.volatility import Volatilities

    volatilities = Volatilities(runner)
    copier = Copier(runner, volatility=volatilities)
    runner.subscribe(copier)
    runner.subscribe(volatilities)
    return Copying(copier, volatilities)
