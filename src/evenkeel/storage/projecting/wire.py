"""What a desk and the process that keeps its tables say to each other: one line of JSON each, over a socket pair."""

from msgspec import Struct, json


class Terms(Struct, frozen=True):
    """The first line: whose process it is, and which shard's tables of which home it keeps. `url` may hold a password,
    so none of this is on a command line."""

    parent: int
    home: str
    url: str | None
    shard: str
    log_level: str
    log_format: str


class Follow(Struct, frozen=True, tag=True):
    """The journal holds records up to this one."""

    seq: int


class Hasten(Struct, frozen=True, tag=True):
    """Somebody waits for what was committed last."""


class Stop(Struct, frozen=True, tag=True):
    """Project what is there up to `seq`, within so many seconds, and leave."""

    seq: int
    seconds: float


class Progress(Struct, frozen=True):
    """How far the tables have come, and what holds them up."""

    seq: int
    is_placed: bool
    fault: str | None


Request = Follow | Hasten | Stop


def line(said: Terms | Request | Progress) -> bytes:
    return json.encode(said) + b"\n"


request = json.Decoder(Request).decode
progress = json.Decoder(Progress).decode
terms = json.Decoder(Terms).decode
