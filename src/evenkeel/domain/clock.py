"""Time: UTC everywhere, int64 nanoseconds since 1970; an account's day has a time zone and a roll time."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from evenkeel.domain.errors import InvalidInput

SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(moment: datetime) -> int:
    """Nanoseconds of an aware datetime. Raises InvalidInput for a naive one."""
    if moment.tzinfo is None:
        raise InvalidInput(f"{moment.isoformat()} has no time zone")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * 1_000


def from_ns(ns: int) -> datetime:
    """The aware UTC datetime of `ns`, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ns // 1_000)


def iso(ns: int) -> str:
    """ISO 8601 in UTC with a Z, e.g. 2005-09-01T20:00:00Z; a fraction only where there is one."""
    return from_ns(ns).isoformat().replace("+00:00", "Z")


def parse_iso(text: str) -> int:
    """Nanoseconds of an ISO 8601 date or time; what has no zone is read as UTC. Raises InvalidInput."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is not an ISO 8601 date or time, such as 2005-09-01 or 2005-09-01T20:00:00Z"
        ) from error
    return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@lru_cache(maxsize=4096)
def day_bounds(day: date, zone: str, roll: time) -> tuple[int, int]:
    """[start, end) in ns of the account day `day`, which ends at `roll` local time (midnight: of the next date)."""
    tz = ZoneInfo(zone)
    shift = timedelta(days=1) if roll == time(0) else timedelta(0)
    end = datetime.combine(day, roll, tz) + shift
    start = datetime.combine(day - timedelta(days=1), roll, tz) + shift
    return to_ns(start.astimezone(UTC)), to_ns(end.astimezone(UTC))


def session_date(at: int, zone: str, roll: time) -> date:
    """The account day whose bounds hold the moment `at`: after the roll, it is the next date's.

    The bounds decide, not the local clock: where a roll lies in the hour that a zone skips or has twice, the
    local time would name a day that is already over.
    """
    day = from_ns(at).astimezone(ZoneInfo(zone)).date()
    start, end = day_bounds(day, zone, roll)
    if at >= end:
        return day + timedelta(days=1)
    return day if at >= start else day - timedelta(days=1)
