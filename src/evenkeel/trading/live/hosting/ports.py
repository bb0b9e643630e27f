"""What the desk needs of a strategy host, and what it says of one."""

from typing import NamedTuple, Protocol

from msgspec import Struct

from evenkeel.trading.strategies.messages import Answer, AnyRequest, Origin


class Death(NamedTuple):
    """How a host ended instead of answering, and the number of the deployment whose code it was running, if any."""

    reason: str
    slot: int | None


class Host(Protocol):
    """Runs the strategies of one user. One request at a time."""

    @property
    def pid(self) -> int | None:
        """Of its process; None where it has none, or not yet."""

    @property
    def is_alive(self) -> bool:
        """False once it has died; one that has not been asked anything yet is alive."""

    async def ask(self, request: AnyRequest) -> Answer | Death: ...

    def kill(self, reason: str) -> None:
        """Ends it at once; what it is asked just now is answered by its death."""

    async def close(self) -> None: ...


class Listener(Protocol):
    """Whoever holds a host hears of it what is not an answer."""

    def said(self, slot: int, line: str) -> None:
        """A strategy has printed a line."""

    def died(self) -> None:
        """The host has died while nobody was asking it."""


class Hosts(Protocol):
    """Makes hosts. `patience` is how long (seconds) the market waits for one; None: as long as it takes."""

    @property
    def patience(self) -> float | None: ...

    def open(self, listener: Listener) -> Host: ...

    def origin(self, template: str) -> Origin | None:
        """Where a host finds a template that is not built in."""


class HostStatus(Struct, frozen=True):
    """How one user's host stands. `behind`: moments of the market that wait; times of an exchange in seconds."""

    user_id: str
    pid: int | None
    deployments: tuple[str, ...]
    restarts: int
    behind: int
    last: float
    longest: float
