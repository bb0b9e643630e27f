"""The strategy host: the only place where strategy code runs, spoken to in messages only.

It holds no account, order book, engine or clock; it may live in this process or in another. A strategy that
raises or exceeds its deadline is taken out with a `HostFault`, its answer to that call is dropped, and no
other deployment notices. Bars not newer than those seen are ignored, so a feed may hand them over again after
a restart.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from traceback import extract_tb

from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import Order
from evenkeel.market.bars import Bars
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.messages import DeployRequest, Holding, HostFault, Output
from evenkeel.trading.strategies.registry import Registry
from evenkeel.trading.strategies.runners import EventRunner, Runner, SignalRunner

DEADLINE = 1_000_000_000
Monotonic = Callable[[], int]
Call = Callable[[], list[Output]]


class StrategyHost:
    """Runs deployments of the templates in `registry`.

    `monotonic` gives ns for measuring calls; None measures nothing and knows no deadline, as deterministic
    runs need it. `deadline` is ns a call; `deploy` and `warm`, which work through history, have none.
    """

    def __init__(self, registry: Registry, *, monotonic: Monotonic | None = None, deadline: int = DEADLINE) -> None:
        self._registry = registry
        self._monotonic = monotonic
        self._deadline = deadline
        self._runners: dict[str, Runner] = {}
        self._found_out: list[Output] = []

    def deploy(self, request: DeployRequest) -> list[Output]:
        """Starts or replaces a deployment: the commands its `on_start` asks for, or a HostFault."""
        self.retire(request.deployment.id)
        return self._guarded(request.deployment.id, lambda: self._deploy(request), timed=False)

    def retire(self, deployment_id: str) -> None:
        """Forgets a deployment; one not known is no error."""
        self._runners.pop(deployment_id, None)

    def warm(self, deployment_id: str, bars: Bars) -> list[Output]:
        """Hands over history of one instrument, oldest first, adjusted as of its last close. May answer a
        fault.
        """
        runner = self._runners.get(deployment_id)
        if runner is None:
            return []
        return self._guarded(deployment_id, lambda: _silent(runner, bars), timed=False)

    def on_slice(self, market: MarketSlice) -> list[Output]:
        """All that the deployments answer to one moment of the market, in order of deployment."""
        outputs, self._found_out = self._found_out, []
        for deployment_id, runner in tuple(self._runners.items()):
            outputs += self._guarded(deployment_id, partial(runner.on_slice, market))
        return outputs

    def on_fill(self, fill: Fill) -> list[Output]:
        """Tells the deployment whose book the fill was booked to."""
        runner = self._runners.get(fill.book)
        return self._guarded(fill.book, partial(runner.on_fill, fill)) if runner else []

    def on_order(self, order: Order) -> list[Output]:
        """Tells the deployment whose book the order belongs to."""
        runner = self._runners.get(order.spec.book)
        return self._guarded(order.spec.book, partial(runner.on_order, order)) if runner else []

    def hold(self, deployment_id: str, holding: Holding) -> None:
        """States a position outright: after a split, a correction or a bust."""
        if deployment_id in self._runners:
            self._runners[deployment_id].hold(holding)

    def state(self, deployment_id: str) -> bytes | None:
        """What to journal so that the deployment continues after a restart; None: warm-up bars are enough.

        Where the strategy fails to say, the answer is None and the next `on_slice` carries the HostFault.
        """
        runner = self._runners.get(deployment_id)
        if runner is None:
            return None
        states: list[bytes | None] = [None]

        def ask() -> list[Output]:
            states[0] = runner.state()
            return []

        self._found_out += self._guarded(deployment_id, ask)
        return states[0]

    def deployed(self) -> tuple[str, ...]:
        """The deployments at work, faulted ones excluded."""
        return tuple(self._runners)

    def _deploy(self, request: DeployRequest) -> list[Output]:
        deployment = request.deployment
        strategy = self._registry.create(deployment.template)
        params = self._registry.resolve(deployment.template, deployment.parameters)
        runner: Runner
        if isinstance(strategy, SignalStrategy):
            path_dependent = self._registry.examine(deployment.template, params).path_dependent
            runner = SignalRunner(
                strategy,
                deployment,
                params=params,
                path_dependent=path_dependent,
                anchor_ts=request.anchor_ts,
                state=request.state,
            )
        else:
            runner = EventRunner(strategy, deployment, params=params, state=request.state, holdings=request.holdings)
        self._runners[deployment.id] = runner
        return runner.start(request.at)

    def _guarded(self, deployment_id: str, call: Call, *, timed: bool = True) -> list[Output]:
        started = self._monotonic() if self._monotonic else 0
        try:
            outputs = call()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever strategy code raises stays here
            return self._fault(deployment_id, _reason(error))
        taken = self._monotonic() - started if self._monotonic else 0
        if timed and taken > self._deadline:
            said = f"took {taken / 1e6:.0f} ms; its deadline is {self._deadline / 1e6:.0f} ms a call"
            return self._fault(deployment_id, said)
        return outputs

    def _fault(self, deployment_id: str, reason: str) -> list[Output]:
        self.retire(deployment_id)
        return [HostFault(deployment_id, reason)]


def _silent(runner: Runner, bars: Bars) -> list[Output]:
    runner.warm(bars)
    return []


def _reason(error: BaseException) -> str:
    """What a person needs to mend it: the error, and the line of the strategy it came from."""
    if isinstance(error, EvenkeelError):
        return error.message
    frames = extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
