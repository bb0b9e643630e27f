"""One turn of the engine: the records it has emitted (and folded) so far, and the effects it will let out."""

from msgspec import Struct, field

from evenkeel.domain.accounts import SEND_BY
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.ids import IdSource
from evenkeel.domain.records import AlertRaised, AnyRecord
from evenkeel.trading.engine.effects import Effect, Outcome
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.state import State


class Step(Struct, frozen=True, gc=False):
    """What one event led to. `outcome` answers a command."""

    records: tuple[AnyRecord, ...]
    effects: tuple[Effect, ...]
    outcome: Outcome | None = None


NOTHING = Step((), ())


class Turn(Struct):
    """Handed to the handler of one event. Emitting a record folds it at once, so what follows sees it."""

    state: State
    ids: IdSource
    at: int
    wall: int
    records: list[AnyRecord] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    def emit(self, record: AnyRecord) -> None:
        """Folds and keeps a record. One that does not fold is a fault of ours: AssertionError, never a refusal."""
        try:
            apply(self.state, record)
        except EvenkeelError as error:
            raise AssertionError(f"{type(record).__name__} does not fold") from error
        self.records.append(record)

    def new_id(self, tag: str) -> str:
        return self.ids.public(self.at, self.state.seq + 1, tag)

    def new_venue_id(self, tag: str) -> str:
        return self.ids.venue(self.at, self.state.seq + 1, tag)

    def alert(self, level: str, kind: str, message: str, **about: str | None) -> None:
        """Raises an alert; `about` names account_id, order_id or deployment_id."""
        self.emit(AlertRaised(at=self.at, id=self.new_id("alert"), level=level, kind=kind, message=message, **about))

    def send_by(self, wait: int = SEND_BY) -> int:
        """The wall-clock moment `wait` ns from now; 0 in a deterministic run."""
        return self.wall + wait if self.wall else 0
