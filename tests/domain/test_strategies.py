"""Deployments: what names their parameters, and that one without a sizing is what it was before there was one."""

from decimal import Decimal

import msgspec
import pytest

from evenkeel.domain.sizing import Cash, Kelly, PercentOfEquity, Sizing, Units, VolatilityTarget
from evenkeel.domain.strategies import Allocation, Deployment

D = Decimal
PLAIN = Deployment("d", "d", "sma-crossover", "1", {"slow": 50, "fast": 10}, ("i",), (Allocation("a", D("0.5")),))
SIZINGS: list[Sizing] = [Units(D(1)), Cash(D("99.5")), PercentOfEquity(), VolatilityTarget(0.1), Kelly()]


def sized(sizing: Sizing) -> Deployment:
    return msgspec.structs.replace(PLAIN, sizing=sizing)


def test_the_hash_of_a_deployment_without_a_sizing_has_not_changed() -> None:
    assert PLAIN.parameter_hash == "f8429c14a0dd35bd"


def test_each_sizing_has_a_hash_of_its_own() -> None:
    hashes = {sized(sizing).parameter_hash for sizing in [*SIZINGS, Units(D(2))]}
    assert len(hashes | {PLAIN.parameter_hash}) == len(SIZINGS) + 2


@pytest.mark.parametrize("sizing", SIZINGS)
def test_a_sizing_comes_back_from_the_journal(sizing: Sizing) -> None:
    body = msgspec.msgpack.encode(sized(sizing))
    assert msgspec.msgpack.decode(body, type=Deployment) == sized(sizing)
    assert b"sizing" not in msgspec.msgpack.encode(PLAIN)
