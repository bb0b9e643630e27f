"""What must not be written: hidden as it is, in an address and in base64, wherever it stands in a text."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.telemetry import unspoken
from evenkeel.telemetry.unspoken import keep_unspoken, without_secrets


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unspoken, "_known", set())
    monkeypatch.setattr(unspoken, "_pattern", None)


def test_without_any_a_text_stays_as_it_is() -> None:
    assert without_secrets("nothing here") == "nothing here"


def test_each_form_is_hidden() -> None:
    secret = "s3cret/+ü value"
    keep_unspoken(secret)
    for form in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        repr(secret),
    ):
        assert "s3cret" not in without_secrets(f"before {form} after")
        assert "[hidden]" in without_secrets(f"before {form} after")
    assert without_secrets("before and after") == "before and after"


def test_what_is_too_short_is_left_alone() -> None:
    keep_unspoken("abc", "")
    assert without_secrets("abcdef") == "abcdef"


def test_the_longer_one_goes_first() -> None:
    keep_unspoken("secret", "secret-and-more")
    assert without_secrets("it is secret-and-more") == "it is [hidden]"


@given(st.text(min_size=8, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_whatever_it_is_it_does_not_come_through(secret: str, before: str, after: str) -> None:
    if secret.strip() in f"{before}{after}[hidden]" or not secret.strip():
        return
    keep_unspoken(secret)
    assert secret not in without_secrets(f"{before}{secret}{after}")
