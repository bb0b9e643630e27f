"""Errors about one asset: the numbers know its place, and whoever knows the names tells it by its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from evenkeel.domain.errors import InvalidInput

WITHOUT = "Leave it out, or take an objective and a covariance that do without: min-variance, sample."


class AssetAtFault(InvalidInput):
    """`told` says what is wrong of the asset at `place`, with `{asset}` where it is named."""

    def __init__(self, told: str, place: int, *, hint: str | None = None) -> None:
        super().__init__(told.replace("{asset}", f"asset {place}"), hint=hint)
        self.told, self.place = told, place

    def named(self, assets: Sequence[str]) -> InvalidInput:
        """The same of an asset of that name."""
        name = assets[self.place] if self.place < len(assets) else f"asset {self.place}"
        return InvalidInput(self.told.replace("{asset}", name), hint=self.hint)


@contextmanager
def naming(assets: Sequence[str]) -> Iterator[None]:
    """Has what is raised within name the assets."""
    try:
        yield
    except AssetAtFault as error:
        raise error.named(assets) from None
