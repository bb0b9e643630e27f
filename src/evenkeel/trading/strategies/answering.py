"""A host's side of the conversation: one request, one answer, the same in this process and in another."""

import sys
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import numpy as np

from evenkeel.domain.commands import CancelOrder, SubmitComposite, SubmitOrder
from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS
from evenkeel.trading.strategies.host import StrategyHost, plain
from evenkeel.trading.strategies.messages import (
    Answer,
    AnyRequest,
    AskLookback,
    FillCame,
    HostFault,
    LoadHistory,
    News,
    OrderCame,
    Origin,
    Output,
    PositionStated,
    Retire,
    SliceCame,
    Start,
    Tell,
)
from evenkeel.trading.strategies.process import wire
from evenkeel.trading.strategies.registry import AnyTemplate, Registry, load_template

MOST_BYTES_EACH = 1024 * 1024


class Answering:
    """Has `host` carry out requests. Templates that it lacks it looks up where the request says they are."""

    def __init__(self, host: StrategyHost, registry: Registry) -> None:
        self.host = host
        self.registry = registry
        self._told: dict[str, bytes | None] = {}

    def answer(self, request: AnyRequest) -> bytes:
        """The encoded answer. An output that cannot be sent, or too many of them, are a fault of their deployment."""
        answer = self._answer(request)
        try:
            body = wire.encode_answer(answer)
        except (TypeError, ValueError, OverflowError):
            return wire.encode_answer(self._without_bad(answer))
        return body if len(body) <= wire.MOST_BYTES else wire.encode_answer(self._without_bad(answer))

    def _answer(self, request: AnyRequest) -> Answer:
        match request:
            case Tell():
                outputs = [output for one in request.news for output in self._tell(one)]
                return Answer(tuple(outputs), self._changed_states())
            case AskLookback():
                fault = self._find(request.deployment.id, request.deployment.template, request.origin)
                return fault or Answer(lookback=self.host.lookback(request.deployment))
            case Start():
                return self._start(request)
            case LoadHistory():
                return Answer(tuple(self.host.warm(request.deployment_id, _bars(request))))
            case Retire():
                self._forget(request.deployment_id)
                return Answer()

    def _start(self, request: Start) -> Answer:
        deployment = request.request.deployment
        fault = self._find(deployment.id, deployment.template, request.origin)
        if fault is not None:
            return fault
        self._forget(deployment.id)
        outputs = self.host.deploy(request.request)
        return Answer(tuple(outputs), path_dependent=self.host.path_dependent(deployment.id))

    def _forget(self, deployment_id: str) -> None:
        self._told.pop(deployment_id, None)
        self.host.retire(deployment_id)

    def _tell(self, news: News) -> list[Output]:
        match news:
            case SliceCame():
                return self.host.on_slice(news.market)
            case FillCame():
                return self.host.on_fill(news.fill)
            case OrderCame():
                return self.host.on_order(news.order)
            case PositionStated():
                self.host.hold(news.deployment_id, news.holding)
                return []

    def _changed_states(self) -> dict[str, bytes | None]:
        changed = {}
        for name in self.host.deployed():
            state = self.host.state(name)
            if state != self._told.get(name):
                self._told[name] = changed[name] = state
        return changed

    def _find(self, deployment_id: str, template: str, origin: Origin | None) -> Answer | None:
        """Brings in a template that is defined elsewhere; a fault of the deployment where it cannot be had."""
        if origin is None or self.registry.has(template):
            return None

        def add() -> list[Output]:
            self.registry.add(find(origin), origin.path or origin.module)
            return []

        faults = self.host.guarded(deployment_id, add, timed=False)
        return Answer(tuple(faults)) if faults else None

    def _without_bad(self, answer: Answer) -> Answer:
        """The same without the outputs of deployments of which one cannot be sent, or all are too long."""
        sizes: dict[str, int] = defaultdict(int)
        bad: dict[str, str] = {}
        for output in answer.outputs:
            name = deployment_of(output)
            try:
                sizes[name] += len(wire.encode_answer(Answer((output,))))
            except (TypeError, ValueError, OverflowError) as error:
                bad[name] = f"asked for what cannot be sent: {error}"
        for name, size in sizes.items():
            if size > MOST_BYTES_EACH:
                bad.setdefault(name, f"answered {size:,} bytes at once; at most {MOST_BYTES_EACH:,} are taken")
        for name in bad:
            self._forget(name)
        kept = tuple(output for output in answer.outputs if deployment_of(output) not in bad)
        faults = tuple(HostFault(name, plain(reason)) for name, reason in bad.items())
        states = {name: state for name, state in answer.states.items() if name not in bad}
        return Answer((*kept, *faults), states, answer.lookback, answer.path_dependent)


def deployment_of(output: Output) -> str:
    """The id of the deployment that asks for it."""
    if isinstance(output, SubmitOrder):
        return output.spec.book
    if isinstance(output, CancelOrder | SubmitComposite):
        return output.provenance.actor
    return output.deployment_id


def origin_of(template: AnyTemplate) -> Origin:
    """Where another process finds the class: in its module, else in the file of that module."""
    module = sys.modules.get(template.__module__)
    return Origin(template.__module__, template.__qualname__, getattr(module, "__file__", None))


def find(origin: Origin) -> AnyTemplate:
    """The class, in this process. Raises InvalidInput as `load_template` does, and what its file raises."""
    try:
        found: AnyTemplate | None = getattr(import_module(origin.module), origin.name, None)
    except ModuleNotFoundError:
        found = None
    if found is not None:
        return found
    if origin.path is None:
        raise InvalidInput(f"there is no strategy {origin.name} in a module {origin.module}")
    return load_template(Path(origin.path), origin.name)


def _bars(request: LoadHistory) -> Bars:
    columns = [
        np.frombuffer(column, dtype=np.int64 if name in COLUMNS[:2] else np.float64)
        for name, column in zip(COLUMNS, request.columns, strict=True)
    ]
    return Bars.raw(request.instrument_id, request.timeframe, columns)
