"""What can go wrong, and what does under one seed: which faults, how often, and a generator of its own for each."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """Named as a trader would tell it."""

    LOST_REQUEST = "lost request"
    LOST_REPLY = "lost reply"
    LATE_REPLY = "late reply"
    LATE_REQUEST = "late request"
    UNKNOWN_OUTCOME = "unknown outcome"
    UNAVAILABLE = "venue unavailable"
    RATE_LIMITED = "too many requests"
    REJECTED = "rejected"
    CLUMSY_ADAPTER = "fault of the adapter"
    CANCEL_REFUSED = "cancel refused"
    FILL_AFTER_CANCEL = "fill after cancel"
    SECOND_ID = "second id"
    IDS_ROLL_BACK = "ids roll back"
    LOST_EVENT = "lost event"
    LATE_EVENT = "late event"
    DUPLICATE_EVENT = "duplicate event"
    SHUFFLED_EVENT = "shuffled event"
    SILENT_QUERY = "silent query"
    FAILED_QUERY = "failed query"
    EMPTY_ANSWER = "empty answer"
    LINK_LOST = "link lost"
    CONNECT_HANGS = "connect hangs"
    HAND_TRADE = "trade by hand"
    HAND_CANCEL = "cancel by hand"
    BUST = "bust"
    SPLIT = "split"
    SILENT_FEED = "silent feed"
    COMMIT_FAILS = "commit fails"
    COMMIT_UNKNOWN = "commit unknown"
    SLOW_COMMIT = "slow commit"
    UNREADABLE = "journal unreadable"
    DISK_FULL = "disk full"
    KILLED = "killed"
    KILLED_BEFORE_COMMIT = "killed before a commit"
    KILLED_AFTER_COMMIT = "killed after a commit"
    KILLED_SENDING = "killed while sending"
    KILLED_TAKEN = "killed with an order taken"
    KILLED_STARTING = "killed while starting"
    CLOCK_SET = "clock set"


CHANCES: dict[Fault, float] = {
    Fault.LOST_REQUEST: 0.15,
    Fault.LOST_REPLY: 0.2,
    Fault.LATE_REPLY: 0.2,
    Fault.LATE_REQUEST: 0.15,
    Fault.UNKNOWN_OUTCOME: 0.2,
    Fault.UNAVAILABLE: 0.1,
    Fault.RATE_LIMITED: 0.15,
    Fault.REJECTED: 0.1,
    Fault.CLUMSY_ADAPTER: 0.1,
    Fault.CANCEL_REFUSED: 0.5,
    Fault.FILL_AFTER_CANCEL: 0.6,
    Fault.SECOND_ID: 0.6,
    Fault.IDS_ROLL_BACK: 0.8,
    Fault.LOST_EVENT: 0.1,
    Fault.LATE_EVENT: 0.2,
    Fault.DUPLICATE_EVENT: 0.4,
    Fault.SHUFFLED_EVENT: 0.4,
    Fault.SILENT_QUERY: 0.15,
    Fault.FAILED_QUERY: 0.2,
    Fault.EMPTY_ANSWER: 0.1,
    Fault.LINK_LOST: 0.06,
    Fault.CONNECT_HANGS: 0.3,
    Fault.HAND_TRADE: 0.1,
    Fault.HAND_CANCEL: 0.1,
    Fault.BUST: 0.1,
    Fault.SPLIT: 0.2,
    Fault.SILENT_FEED: 0.1,
    Fault.COMMIT_FAILS: 0.05,
    Fault.COMMIT_UNKNOWN: 0.05,
    Fault.SLOW_COMMIT: 0.05,
    Fault.UNREADABLE: 0.5,
    Fault.DISK_FULL: 0.02,
    Fault.KILLED: 0.06,
    Fault.KILLED_BEFORE_COMMIT: 0.02,
    Fault.KILLED_AFTER_COMMIT: 0.02,
    Fault.KILLED_SENDING: 0.05,
    Fault.KILLED_TAKEN: 0.05,
    Fault.KILLED_STARTING: 0.3,
    Fault.CLOCK_SET: 0.5,
}
"""The most a fault may be likely at each occasion it has: a request, an event, a commit, a start, a tick."""

SHARE = 0.3
CALM = 0.05


class Weather:
    """The faults of one seed: some of them, each as likely as was drawn, until the sky is clear. `struck` counts them.
    `only` says instead which there are, and how likely each is.

    Each fault draws from a generator of its own, so that to leave one out moves as little of the rest as can be.
    """

    def __init__(self, seed: int, without: Iterable[Fault] = (), *, only: Mapping[Fault, float] | None = None) -> None:
        draw = Random(f"{seed}:weather")
        is_calm = draw.random() < CALM
        drawn = {fault: (draw.random() < SHARE, most * draw.random()) for fault, most in CHANCES.items()}
        left_out = set(without)
        self.chances = {
            fault: chance for fault, (is_on, chance) in drawn.items() if is_on and not is_calm and fault not in left_out
        }
        if only is not None:
            self.chances = dict(only)
        self.struck: Counter[Fault] = Counter()
        self.is_clear = False
        self._seed = seed
        self._draws: dict[Fault, Random] = {}

    def draw(self, fault: Fault) -> Random:
        found = self._draws.get(fault)
        if found is None:
            found = self._draws[fault] = Random(f"{self._seed}:{fault}")
        return found

    def strikes(self, fault: Fault) -> bool:
        """Whether it happens now."""
        chance = self.chances.get(fault)
        if chance is None or self.is_clear or self.draw(fault).random() >= chance:
            return False
        self.struck[fault] += 1
        return True

    def first_of(self, *faults: Fault) -> Fault | None:
        """The first of these that strikes, if one does."""
        return next((fault for fault in faults if self.strikes(fault)), None)
