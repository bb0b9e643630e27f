"""Exchange rates: exact conversions, inverse and crossed ones, ages, and nothing where no rate leads."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evenkeel.domain.fx import SAME, Conversion, FxRate, Rates, RateSource, pair_of, rate_faults
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.money import minor_unit

D = Decimal
DAY = date(2024, 3, 4)
EUR_USD = FxRate("EUR", "USD", DAY, D("1.0832"), RateSource.HAND)
USD_INR = FxRate("USD", "INR", DAY - timedelta(days=3), D("82.9"), RateSource.IMPORT)
PAIR = Instrument("i", "EUR/USD", "FXCM", AssetClass.FX, "USD", D("0.00001"), D(1000))


def rates(*given: FxRate) -> Rates:
    made = Rates()
    for one in given:
        made.take(one)
    return made


def test_an_amount_in_its_own_currency_needs_no_rate() -> None:
    assert Rates().conversion("USD", "USD") is SAME
    assert SAME.of(D("12.34"), "USD") == D("12.34")
    assert SAME.age(DAY) == 0


def test_without_a_rate_nothing_is_converted() -> None:
    assert Rates().conversion("EUR", "USD") is None
    assert rates(EUR_USD).conversion("EUR", "INR") is None


def test_a_rate_is_taken_as_it_stands_or_turned_round() -> None:
    known = rates(EUR_USD)
    there, back = known.conversion("EUR", "USD"), known.conversion("USD", "EUR")
    assert there is not None
    assert back is not None
    assert there.of(D(1000), "USD") == D("1083.20")
    assert back.of(D("1083.20"), "EUR") == D("1000.00")
    assert (back.day, back.sources, back.via) == (DAY, (RateSource.HAND,), None)


def test_two_rates_meet_in_one_other_currency_and_are_as_old_as_the_older() -> None:
    way = rates(EUR_USD, USD_INR).conversion("EUR", "INR")
    assert way is not None
    assert way.via == "USD"
    assert way.day == USD_INR.day
    assert way.age(DAY) == 3
    assert way.sources == (RateSource.HAND, RateSource.IMPORT)
    assert way.of(D(100), "INR") == D("8979.73")  # 100 * 1.0832 * 82.9 = 8979.728


def test_the_newest_way_wins_and_of_equal_ones_the_direct() -> None:
    direct = FxRate("EUR", "INR", DAY - timedelta(days=9), D(90), RateSource.HAND)
    assert rates(EUR_USD, USD_INR, direct).conversion("EUR", "INR").via == "USD"  # type: ignore[union-attr]
    same_day = replace(direct, day=USD_INR.day)
    assert rates(EUR_USD, USD_INR, same_day).conversion("EUR", "INR").via is None  # type: ignore[union-attr]


def test_an_older_rate_does_not_take_the_place_of_a_newer_one() -> None:
    known = rates(EUR_USD, replace(EUR_USD, day=DAY - timedelta(days=1), rate=D(2)))
    assert known["EUR", "USD"] == EUR_USD
    known.take(replace(EUR_USD, rate=D("1.09")))
    assert known["EUR", "USD"].rate == D("1.09")


@given(
    amount=st.decimals(-(10**15), 10**15, places=2, allow_nan=False),
    rate=st.decimals(D("0.000001"), 10**6, places=8, allow_nan=False).filter(lambda value: value > 0),
)
def test_a_conversion_is_rounded_once_to_the_minor_unit(amount: Decimal, rate: Decimal) -> None:
    """Against exact fractions: never further than half a minor unit away."""
    from fractions import Fraction

    way = Conversion(rate, D(1), DAY)
    for one, exact in ((way, Fraction(amount) * Fraction(rate)),
                       (Conversion(D(1), rate, DAY), Fraction(amount) / Fraction(rate))):  # fmt: skip
        got = one.of(amount, "JPY")
        assert abs(Fraction(got) - exact) <= Fraction(minor_unit("JPY")) / 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"base": "XXX"}, "rates.0.base"),
        ({"quote": "EUR"}, "rates.0.quote"),
        ({"rate": D(0)}, "rates.0.rate"),
        ({"rate": D("NaN")}, "rates.0.rate"),
        ({"rate": D("0.0000000000001")}, "rates.0.rate"),
        ({"rate": D(10**9)}, "rates.0.rate"),
        ({"day": DAY + timedelta(days=2)}, "rates.0.date"),
    ],
)
def test_what_makes_no_sense_is_named(change: dict[str, object], field: str) -> None:
    assert rate_faults((EUR_USD,), today=DAY) == []
    faults = rate_faults((replace(EUR_USD, **change),), today=DAY)
    assert [fault.field for fault in faults] == [field]


def test_a_pair_is_named_once_a_day() -> None:
    assert [fault.field for fault in rate_faults((EUR_USD, EUR_USD), today=DAY)] == ["rates"]
    assert rate_faults((EUR_USD, replace(EUR_USD, day=DAY - timedelta(days=1))), today=DAY) == []


@pytest.mark.parametrize(
    ("change", "pair"),
    [
        ({}, ("EUR", "USD")),
        ({"symbol": "EURUSD"}, ("EUR", "USD")),
        ({"symbol": "eur-usd"}, ("EUR", "USD")),
        ({"symbol": "USD/INR", "currency": "INR"}, ("USD", "INR")),
        ({"symbol": "GOLD"}, None),
        ({"symbol": "USDUSD"}, None),
        ({"asset_class": AssetClass.FUTURE}, None),
        ({"expiry": DAY}, None),
    ],
)
def test_a_spot_pair_is_known_by_its_symbol(change: dict[str, object], pair: tuple[str, str] | None) -> None:
    assert pair_of(replace(PAIR, **change)) == pair
