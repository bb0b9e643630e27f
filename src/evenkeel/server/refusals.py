"""What the API says of the check that a change fails which risk refuses."""

from typing import Any

from msgspec import Struct

from evenkeel.domain.errors import ChangeRefused
from evenkeel.domain.limits import Layer


class Refusal(Struct, kw_only=True):
    """The check that failed; null in what is no refusal by risk."""

    rule: str | None = None
    layer: Layer | None = None
    limit: str | None = None
    value: str | None = None


def refusal_of(error: Exception) -> dict[str, Any]:
    """The fields of a `Refusal`; none of any other error."""
    return error.told() if isinstance(error, ChangeRefused) else {}
