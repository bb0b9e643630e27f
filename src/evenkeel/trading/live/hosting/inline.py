"""Hosts in this process: for deterministic runs, tests, and where `strategy_host` says so. The same conversation."""

from evenkeel.trading.live.hosting.ports import Death, Listener
from evenkeel.trading.strategies.answering import Answering
from evenkeel.trading.strategies.host import DEADLINE, Monotonic, StrategyHost
from evenkeel.trading.strategies.messages import Answer, AnyRequest, Origin
from evenkeel.trading.strategies.process import wire
from evenkeel.trading.strategies.registry import Registry


class InlineHost:
    """A strategy that never returns holds everything up: nothing here can end it."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    @property
    def pid(self) -> int | None:
        return None

    @property
    def is_alive(self) -> bool:
        return True

    async def ask(self, request: AnyRequest) -> Answer | Death:
        return wire.decode_answer(self._answering.answer(request))

    def kill(self, reason: str) -> None:
        """There is no process to end."""

    async def close(self) -> None:
        """There is nothing to close."""


class InlineHosts:
    """`monotonic` as in `StrategyHost`; `deadline` is ns a call."""

    patience = None

    def __init__(self, registry: Registry, *, monotonic: Monotonic | None = None, deadline: int = DEADLINE) -> None:
        self._registry, self._monotonic, self._deadline = registry, monotonic, deadline

    def open(self, listener: Listener) -> InlineHost:
        host = StrategyHost(self._registry, monotonic=self._monotonic, deadline=self._deadline)
        return InlineHost(Answering(host, self._registry))

    def origin(self, template: str) -> Origin | None:
        return None
