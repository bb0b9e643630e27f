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
from typing import TypedDict

from evenkeel.domain.errors import EvenkeelError, InvalidInput
from evenkeel.domain.fills import Fill
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import Order
from evenkeel.domain.strategies import Deployment
from evenkeel.market.bars import Bars
from evenkeel.trading.strategies.base import PanelStrategy, Strategy
from evenkeel.trading.strategies.evaluate import lookback_of
from evenkeel.trading.strategies.fitting import check_fit
from evenkeel.trading.strategies.messages import DeployRequest, Holding, HostFault, Output
from evenkeel.trading.strategies.panel_runner import PanelRunner
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.registry import Registry
from evenkeel.trading.strategies.runners import EventRunner, Runner, SignalRunner

DEADLINE = 1_000_000_000
MOST_OUTPUTS = 10_000
MOST_REMEMBERED = 1024 * 1024
MOST_SAID = 1_000
Monotonic = Callable[[], int]
Call = Callable[[], list[Output]]
Watch = Callable[[str | None, bool], None]
"""Told whose code is about to run (None: nobody's any more), and whether its time is that of one call."""


class _Terms(TypedDict):
    """What both runners of targets are given."""

    params: Params
    path_dependent: bool
    anchor_ts: int | None
    state: bytes | None
    instruments: tuple[Instrument, ...]


class StrategyHost:
    """Runs deployments of the templates in `registry`.

    `monotonic` gives ns for measuring calls; None measures nothing and knows no deadline, as deterministic
    runs need it. `deadline` is ns a call; `deploy` and `warm`, which work through history, have none. `watch` sees
    whose code runs.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        monotonic: Monotonic | None = None,
        deadline: int = DEADLINE,
        watch: Watch | None = None,
    ) -> None:
        self._registry = registry
        self._monotonic = monotonic
        self._deadline = deadline
        self._watch = watch or (lambda deployment_id, timed: None)
        self._runners: dict[str, Runner] = {}
        self._path_dependent: dict[str, bool] = {}
        self._found_out: list[Output] = []

    def deploy(self, request: DeployRequest) -> list[Output]:
        """Starts or replaces a deployment: the commands its `on_start` asks for, or a HostFault."""
        self.retire(request.deployment.id)
        return self.guarded(request.deployment.id, lambda: self._deploy(request), timed=False)

    def retire(self, deployment_id: str) -> None:
        """Forgets a deployment; one not known is no error."""
        self._runners.pop(deployment_id, None)
        self._path_dependent.pop(deployment_id, None)

    def warm(self, deployment_id: str, bars: Bars) -> list[Output]:
        """Hands over history of one instrument, oldest first, adjusted as of its last close. May answer a
        fault.
        """
        runner = self._runners.get(deployment_id)
        if runner is None:
            return []
        return self.guarded(deployment_id, lambda: _silent(runner, bars), timed=False)

    def on_slice(self, market: MarketSlice) -> list[Output]:
        """All that the deployments answer to one moment of the market, in order of deployment."""
        outputs, self._found_out = self._found_out, []
        for deployment_id, runner in tuple(self._runners.items()):
            outputs += self.guarded(deployment_id, partial(runner.on_slice, market))
        return outputs

    def on_fill(self, fill: Fill) -> list[Output]:
        """Tells the deployment whose book the fill was booked to."""
        runner = self._runners.get(fill.book)
        return self.guarded(fill.book, partial(runner.on_fill, fill)) if runner else []

    def on_order(self, order: Order) -> list[Output]:
        """Tells the deployment whose book the order belongs to."""
        runner = self._runners.get(order.spec.book)
        return self.guarded(order.spec.book, partial(runner.on_order, order)) if runner else []

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
            said = runner.state()
            if said is not None and len(said) > MOST_REMEMBERED:
                raise InvalidInput(f"remembers {len(said):,} bytes; at most {MOST_REMEMBERED:,} are kept")
            states[0] = said
            return []

        self._found_out += self.guarded(deployment_id, ask)
        return states[0]

    def lookback(self, deployment: Deployment) -> int:
        """How many bars before the first one decided on hold the warm-up; 0 where that cannot be said.

        What is wrong with such a deployment is said by `deploy`.
        """
        self._watch(deployment.id, False)
        try:
            strategy = self._registry.create(deployment.template)
            params = self._registry.resolve(deployment.template, deployment.parameters)
            return lookback_of(strategy, params, deployment.timeframe)
        except Exception:  # noqa: BLE001 - whatever strategy code raises stays here
            return 0
        finally:
            self._watch(None, False)

    def path_dependent(self, deployment_id: str) -> bool | None:
        """What examining a deployment has shown; None where there was nothing to examine."""
        return self._path_dependent.get(deployment_id)

    def deployed(self) -> tuple[str, ...]:
        """The deployments at work, faulted ones excluded."""
        return tuple(self._runners)

    def _deploy(self, request: DeployRequest) -> list[Output]:
        deployment = request.deployment
        strategy = self._registry.create(deployment.template)
        params = self._registry.resolve(deployment.template, deployment.parameters)
        check_fit(strategy, params, instruments=len(deployment.instrument_ids), timeframe=deployment.timeframe)
        runner: Runner
        if isinstance(strategy, Strategy):
            runner = EventRunner(
                strategy,
                deployment,
                params=params,
                state=request.state,
                holdings=request.holdings,
                instruments=request.instruments,
            )
        else:
            known = request.path_dependent
            if known is None:
                known = self._registry.examine(deployment.template, params).path_dependent
            self._path_dependent[deployment.id] = known
            terms = _Terms(
                params=params,
                path_dependent=known,
                anchor_ts=request.anchor_ts,
                state=request.state,
                instruments=request.instruments,
            )
            if isinstance(strategy, PanelStrategy):
                runner = PanelRunner(strategy, deployment, **terms)
            else:
                runner = SignalRunner(strategy, deployment, **terms)
        self._runners[deployment.id] = runner
        return runner.start(request.at)

    def guarded(self, deployment_id: str, call: Call, *, timed: bool = True) -> list[Output]:
        """What `call` answers for a deployment, or its HostFault."""
        started = self._monotonic() if self._monotonic else 0
        self._watch(deployment_id, timed)
        try:
            outputs = call()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever strategy code raises stays here
            return self._fault(deployment_id, _reason(error))
        finally:
            self._watch(None, timed)
        if len(outputs) > MOST_OUTPUTS:
            said = f"asked for {len(outputs):,} things in one call; at most {MOST_OUTPUTS:,} are taken"
            return self._fault(deployment_id, said)
        taken = self._monotonic() - started if self._monotonic else 0
        if timed and taken > self._deadline:
            said = f"took {taken / 1e6:.0f} ms; its deadline is {self._deadline / 1e6:.0f} ms a call"
            return self._fault(deployment_id, said)
        return outputs

    def _fault(self, deployment_id: str, reason: str) -> list[Output]:
        self.retire(deployment_id)
        return [HostFault(deployment_id, plain(reason))]


def _silent(runner: Runner, bars: Bars) -> list[Output]:
    runner.warm(bars)
    return []


def _reason(error: BaseException) -> str:
    """What a person needs to mend it: the error, and the line of the strategy it came from."""
    if isinstance(error, EvenkeelError):
        return error.message
    frames = extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    try:
        said = plain(f"{type(error).__name__}: {error}")
    except Exception:  # noqa: BLE001 - an error of foreign code may fail at saying what it is
        said = type(error).__name__
    return f"{said}{where}"


def plain(said: str) -> str:
    """Words of foreign code as every database and message can hold them."""
    return said[:MOST_SAID].encode("utf-8", "replace").decode().replace("\0", "")
