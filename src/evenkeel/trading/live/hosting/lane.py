"""One user's lane: what their strategies are to be told waits here in order, and their host works it off.

A host that dies takes nothing along. What it was asked is asked again of the next one, which is given what each
deployment remembered after its last answer; only the deployment whose code was running is left out, with its fault.
Where hosts keep dying, all of the lane are.
"""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count

import structlog
from msgspec import Struct

from evenkeel.domain.commands import CancelOrder, SubmitOrder
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.provenance import Source
from evenkeel.domain.strategies import Deployment
from evenkeel.trading.live.hosting.ports import Death, Hosts, HostStatus
from evenkeel.trading.live.hosting.stage import Stage
from evenkeel.trading.strategies.answering import deployment_of
from evenkeel.trading.strategies.messages import (
    Answer,
    AskLookback,
    DeployRequest,
    HostFault,
    News,
    Output,
    Retire,
    SliceCame,
    Start,
    Tell,
)

log = structlog.get_logger(__name__)
MOST_DEATHS, DEATHS_WITHIN = 5, 300.0
MOST_BEHIND = 1_000
Clock = Callable[[], float]


class Begin(Struct, frozen=True):
    """Puts a deployment to work, with the bars that have closed by `before` (ns) as its past."""

    deployment_id: str
    before: int


class Hosted(Struct):
    """A deployment of this lane as its host last knew it. `through` (ns): the market it has answered."""

    deployment: Deployment
    slot: int
    through: int
    memory: bytes | None
    anchor: int | None = None
    path_dependent: bool | None = None
    is_prepared: bool = False
    is_at_work: bool = False


class Reached(Struct, frozen=True):
    """How far the deployments of a lane are, and what each remembers of it."""

    places: dict[str, int] = {}
    memories: dict[str, bytes] = {}


class Lane:
    """`clock` gives seconds, for telling how long exchanges take and how often hosts die.

    `sure` is how far it is in what is recorded, `newest` the newest moment (ns) it was handed, `behind` how many wait.
    """

    def __init__(self, user_id: str, hosts: Hosts, stage: Stage, *, clock: Clock, woken: Callable[[], None]) -> None:
        self.user_id = user_id
        self.inbox: deque[News | Begin | Retire] = deque()
        self.hosted: dict[str, Hosted] = {}
        self.sure = Reached()
        self.newest = -1
        self.behind = 0
        self._hosts, self._stage, self._clock, self._woken = hosts, stage, clock, woken
        self._host = hosts.open(self)
        self._slots = count()
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._restarts = 0
        self._last = self._longest = 0.0
        self._given_up: str | None = None

    def put(self, news: News) -> None:
        """Has the host told. A moment of the market that is not newer than the newest is not told again."""
        if isinstance(news, SliceCame):
            if news.market.at <= self.newest:
                return
            self.newest = news.market.at
            self.behind += 1
        self.inbox.append(news)
        if self.behind > MOST_BEHIND and self.hosted and self._given_up is None:
            self._given_up = f"cannot keep up with the market: it is {self.behind:,} moments behind"
            self._host.kill(self._given_up)

    def begin(self, deployment_id: str, *, before: int) -> None:
        """Has a deployment put to work, after all that waits already."""
        self.inbox.append(Begin(deployment_id, before))
        self.sure = Reached({deployment_id: before} | self.sure.places, self.sure.memories)

    def retire(self, deployment_id: str) -> None:
        """Takes a deployment out at once: what it still answers is not listened to."""
        if self.hosted.pop(deployment_id, None) is not None:
            self.inbox.append(Retire(deployment_id))
        kept = {name: at for name, at in self.sure.places.items() if name != deployment_id}
        self.sure = Reached(kept, {name: memory for name, memory in self.sure.memories.items() if name in kept})

    async def exchange(self) -> list[Output]:
        """Works off what waits, up to the next moment of the market: what the strategies answer, in order."""
        began = self._clock()
        try:
            outputs = await self._work_off()
        except Exception as error:
            log.exception("a user's strategies cannot be run", user=self.user_id)
            outputs = [HostFault(name, f"its host cannot be used: {error}") for name in self.hosted]
            self.hosted.clear()
            self.inbox.clear()
            self.behind = 0
        if not self.hosted and self._host.pid is not None:
            await self._reopen()
        self._last = self._clock() - began
        self._longest = max(self._longest, self._last)
        return outputs

    async def _work_off(self) -> list[Output]:
        outputs: list[Output] = []
        is_done = False
        while self.inbox and not is_done:
            match self.inbox[0]:
                case Begin() as begin:
                    outputs += await self._begin(begin)
                    self.inbox.popleft()
                case Retire() as request:
                    outputs += await self._ask_or_revive(request)
                    self.inbox.popleft()
                case _:
                    told = self._next_news()
                    outputs += await self._ask_or_revive(Tell(told))
                    for _ in told:
                        self.inbox.popleft()
                    is_done = isinstance(told[-1], SliceCame)
                    self.behind -= 1 if is_done else 0
        return outputs + await self._start_all()

    def reached(self) -> Reached:
        """What to record once the answers so far are."""
        at_work = self.hosted.items()
        memories = {name: one.memory for name, one in at_work if one.memory is not None}
        return Reached({name: one.through for name, one in at_work}, memories)

    async def close(self) -> None:
        await self._host.close()

    def status(self) -> HostStatus:
        names = tuple(one.deployment.name for one in self.hosted.values())
        return HostStatus(self.user_id, self._host.pid, names, self._restarts, self.behind, self._last, self._longest)

    def said(self, slot: int, line: str) -> None:
        of = next((one.deployment.name for one in self.hosted.values() if one.slot == slot), None)
        if line:
            log.info("a strategy prints", deployment=of, user=self.user_id, text=line)

    def died(self) -> None:
        self._woken()

    def _next_news(self) -> tuple[News, ...]:
        """What waits at the head, up to and with the first moment of the market."""
        told: list[News] = []
        for one in self.inbox:
            if isinstance(one, Begin | Retire):
                break
            told.append(one)
            if isinstance(one, SliceCame):
                break
        return tuple(told)

    async def _begin(self, begin: Begin) -> list[Output]:
        """Starts it as it is now, with what it remembers; one at work already goes on with what it has."""
        held = self._stage.state.deployments[begin.deployment_id]
        known = self.hosted.pop(begin.deployment_id, None)
        if held.is_running:
            memory = held.memory if known is None else known.memory
            self.hosted[begin.deployment_id] = Hosted(held.deployment, next(self._slots), begin.before, memory)
        return await self._start_all()

    async def _ask_or_revive(self, request: Tell | Retire) -> list[Output]:
        """What the strategies answer; as often as the host dies over it, the next one is asked."""
        outputs = await self._start_all()
        while self.hosted:
            answer = await self._host.ask(request)
            if isinstance(answer, Answer):
                return outputs + self._heard(answer, request)
            outputs += await self._bury(answer)
            outputs += await self._start_all()
        return outputs

    def _heard(self, answer: Answer, request: Tell | Retire) -> list[Output]:
        outputs = [output for output in answer.outputs if self._may(output)]
        for name, memory in answer.states.items():
            if name in self.hosted:
                self.hosted[name].memory = memory
        last = request.news[-1] if isinstance(request, Tell) else None
        if isinstance(last, SliceCame):
            for one in self.hosted.values():
                one.through = max(one.through, last.market.at)
        self._leave_out(outputs)
        return outputs

    def _leave_out(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, HostFault):
                self.hosted.pop(output.deployment_id, None)

    def _may(self, output: Output) -> bool:
        """Whether it is of a deployment at work here, and asks for nothing of anybody else's."""
        one = self.hosted.get(deployment_of(output))
        if one is None:
            return False
        match output:
            case SubmitOrder():
                named = {allocation.account_id for allocation in one.deployment.accounts}
                mine = output.spec.account_id in named and output.provenance.actor == one.deployment.id
            case CancelOrder():
                order = self._stage.state.orders.get(output.order_id)
                mine = order is not None and order.spec.book == one.deployment.id
            case _:
                return True
        if not (mine and output.provenance.source is Source.DEPLOYMENT):
            log.warning("a strategy asked for what is not its own", deployment=one.deployment.name)
            return False
        return True

    async def _start_all(self) -> list[Output]:
        """Puts to work, in order, whoever is not; as often as the host dies over it, in the next one."""
        outputs: list[Output] = []
        if self.hosted and not self._host.is_alive:
            outputs += await self._bury(Death("its process has ended by itself", None))
        while (one := next((one for one in self.hosted.values() if not one.is_at_work), None)) is not None:
            answer = await self._start(one)
            if isinstance(answer, Death):
                outputs += await self._bury(answer)
            elif self.hosted.get(one.deployment.id) is one:
                one.is_at_work = True
                outputs += answer
                self._leave_out(answer)
        return outputs

    async def _start(self, one: Hosted) -> list[Output] | Death:
        try:
            return await self._started(one)
        except EvenkeelError as error:  # the feed cannot serve it: a fault of its own, which stops nothing else
            await self._host.ask(Retire(one.deployment.id))
            return [HostFault(one.deployment.id, error.message)]

    async def _started(self, one: Hosted) -> list[Output] | Death:
        deployment, origin = one.deployment, self._stage.origin(one.deployment.template)
        if not one.is_prepared:
            asked = await self._host.ask(AskLookback(one.slot, deployment, origin))
            if isinstance(asked, Death) or asked.outputs:
                return asked if isinstance(asked, Death) else list(asked.outputs)
            one.anchor, one.is_prepared = self._stage.anchor(deployment, asked.lookback), True
        await self._stage.owner.settled()
        answer = await self._host.ask(Start(one.slot, self._request(one), origin))
        if isinstance(answer, Death):
            return answer
        one.path_dependent = answer.path_dependent
        outputs = list(answer.outputs)
        for request in self._stage.history(deployment, anchor=one.anchor, before=one.through):
            loaded = await self._host.ask(request)
            if isinstance(loaded, Death):
                return loaded
            outputs += loaded.outputs
        return outputs

    def _request(self, one: Hosted) -> DeployRequest:
        listed = self._stage.state.instruments
        untold = [news for news in self.inbox if not isinstance(news, Begin | Retire)]
        return DeployRequest(
            deployment=one.deployment,
            at=one.through,
            anchor_ts=one.anchor,
            state=one.memory,
            holdings=self._stage.holdings(one.deployment.id, untold),
            instruments=tuple(listed[name] for name in one.deployment.instrument_ids),
            path_dependent=one.path_dependent,
        )

    async def _bury(self, death: Death) -> list[Output]:
        """Opens another host; the deployment whose code was running is left out, or all where hosts keep dying."""
        self._deaths.append(self._clock())
        self._restarts += 1
        guilty = [name for name, one in self.hosted.items() if one.slot == death.slot]
        reason = death.reason
        if self._given_up is not None:
            guilty, reason, self._given_up = list(self.hosted), self._given_up, None
        elif len(self._deaths) == MOST_DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_WITHIN:
            guilty, reason = list(self.hosted), f"its host has ended {MOST_DEATHS} times lately, last because: {reason}"
            self._deaths.clear()
        log.warning("a strategy host has ended", user=self.user_id, pid=self._host.pid, reason=death.reason)
        for name in guilty:
            del self.hosted[name]
        await self._reopen()
        return [HostFault(name, reason) for name in guilty]

    async def _reopen(self) -> None:
        await self._host.close()
        self._host = self._hosts.open(self)
        for one in self.hosted.values():
            one.is_at_work = False
