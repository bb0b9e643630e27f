"""The strategies' side of the live desk: deployments follow the journal, and the host's answers become commands.

The host runs strategy code and is spoken to in messages; this file decides when it is told what. After a restart a
deployment is warmed from stored bars: from its anchor, the first bar it ever saw, so that it folds to the same end.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from evenkeel.domain import records as r
from evenkeel.domain.commands import AnyCommand, PauseDeployment, TakeSignal
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import Order
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.domain.strategies import Signal
from evenkeel.market.feeds.ports import Feed
from evenkeel.trading.engine.state import DeploymentState, State
from evenkeel.trading.live.ports import StateOwner
from evenkeel.trading.strategies.host import StrategyHost
from evenkeel.trading.strategies.messages import DeployRequest, Holding, HostFault, Output

WARMUP_BARS = 250


class StrategyDesk:
    """Keeps the host in step with the deployments of `owner.state`, and collects what the strategies ask for."""

    def __init__(self, host: StrategyHost, feed: Feed, owner: StateOwner) -> None:
        self.host = host
        self.feed = feed
        self.owner = owner
        self._stale: set[str] = set(owner.state.deployments)
        self._news: deque[Fill | Order] = deque()

    @property
    def state(self) -> State:
        return self.owner.state

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """Notes what the host must be told at its next turn."""
        for record in records:
            match record:
                case r.DeploymentChanged():
                    self._stale.add(record.deployment.id)
                case r.FillBooked() if record.fill.book in self.state.deployments:
                    self._news.append(record.fill)
                    order = self.state.orders[record.fill.order_id]
                    if not order.is_working:
                        self._news.append(order)  # filled: nothing more will move it
                case r.OrderDecided() | r.OrderMoved():
                    order = self.state.orders[record.order_id]
                    if order.spec.book in self.state.deployments:
                        self._news.append(order)
                case r.SplitApplied():
                    self._restate([part.key for part in record.positions])
                case r.PositionCorrected():
                    self._restate([record.key])

    def on_slice(self, market: MarketSlice) -> list[AnyCommand]:
        """What the strategies answer to one moment of the market; deployments are brought up to date first."""
        commands = self._bring_up_to_date(before=market.at - 1)
        return commands + _commands(self.host.on_slice(market))

    def react(self) -> list[AnyCommand]:
        """What the strategies answer to fills and order events since the last call."""
        commands: list[AnyCommand] = []
        while self._news:
            news = self._news.popleft()
            answer = self.host.on_fill(news) if isinstance(news, Fill) else self.host.on_order(news)
            commands += _commands(answer)
        return commands

    def states(self) -> dict[str, bytes]:
        """What each running strategy asks to have remembered."""
        found = ((name, self.host.state(name)) for name in self.host.deployed())
        return {name: memory for name, memory in found if memory is not None}

    def _restate(self, keys: Iterable[PositionKey]) -> None:
        for key in keys:
            if key.book in self.state.deployments:
                quantity = self.state.position(key).quantity
                self.host.hold(key.book, Holding(key.account_id, key.instrument_id, quantity))

    def _bring_up_to_date(self, before: int) -> list[AnyCommand]:
        commands: list[AnyCommand] = []
        for deployment_id in sorted(self._stale):
            held = self.state.deployments[deployment_id]
            is_at_work = deployment_id in self.host.deployed()
            if not held.is_running:
                self.host.retire(deployment_id)
            elif not is_at_work:
                commands += _commands(self._deployed(held, before))
        self._stale.clear()
        return commands

    def _deployed(self, held: DeploymentState, before: int) -> list[Output]:
        """A deployment that the feed cannot serve is a fault of its own, and stops nothing else."""
        try:
            return self._deploy(held, before)
        except EvenkeelError as error:
            self.host.retire(held.deployment.id)
            return [HostFault(held.deployment.id, error.message)]

    def _deploy(self, held: DeploymentState, before: int) -> list[Output]:
        deployment = held.deployment
        anchor = self._anchor(held)
        request = DeployRequest(
            deployment=deployment,
            at=before,
            anchor_ts=anchor,
            state=held.memory,
            holdings=tuple(self._holdings(deployment.id)),
        )
        outputs = self.host.deploy(request)
        for instrument_id in deployment.instrument_ids:
            bars = self.feed.history(instrument_id, deployment.timeframe, before=before, count=1_000_000)
            seen = bars.between(anchor, before + 1) if anchor is not None else bars
            if len(seen):
                adjusted = seen.adjusted(self.feed.splits(instrument_id), as_of=int(seen.close_ts[-1]))
                outputs += self.host.warm(deployment.id, adjusted)
        return outputs

    def _anchor(self, held: DeploymentState) -> int | None:
        """The open of the first bar this deployment may know: WARMUP_BARS before it was made."""
        opens = [
            int(bars.ts[0])
            for instrument_id in held.deployment.instrument_ids
            if len(
                bars := self.feed.history(
                    instrument_id, held.deployment.timeframe, before=held.since, count=WARMUP_BARS
                )
            )
        ]
        return min(opens, default=None)

    def _holdings(self, deployment_id: str) -> Iterable[Holding]:
        for account in self.state.accounts.values():
            for position in account.positions.values():
                if position.key.book == deployment_id and position.quantity:
                    yield Holding(account.account.id, position.key.instrument_id, position.quantity)


def _commands(outputs: Sequence[Output]) -> list[AnyCommand]:
    return [_command(output) for output in outputs]


def _command(output: Output) -> AnyCommand:
    if isinstance(output, Signal):
        provenance = Provenance(actor=output.deployment_id, source=Source.DEPLOYMENT)
        return TakeSignal(provenance=provenance, signal=output)
    if isinstance(output, HostFault):
        provenance = Provenance(actor="strategy host", source=Source.SYSTEM)
        return PauseDeployment(provenance=provenance, deployment_id=output.deployment_id, reason=output.reason)
    return output
