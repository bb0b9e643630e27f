"""The journal's records: each comes back as it was written, and no change of their shape goes unnoticed."""

import typing
from decimal import Decimal
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import fields

from evenkeel.domain.errors import JournalCorrupt
from evenkeel.domain.records import (
    GENESIS,
    AlertRaised,
    AnyRecord,
    Batch,
    CursorMoved,
    DayClosed,
    RunStarted,
    chain_hash,
    decode,
    encode,
)
from tests.domain.samples import SAMPLES

TYPES = typing.get_args(AnyRecord)

# tag: fields that must be there, fields with a default. A field may join the second list; anything else is a new tag.
SHAPES = {
    "run.started/1": ("run version at", "wall"),
    "instrument.listed/1": ("instrument at", "aliases"),
    "account.opened/1": ("account provenance at", ""),
    "account.limits/1": ("account_id limits version provenance at", ""),
    "account.readiness/1": ("account_id readiness at", "reason"),
    "cash.booked/1": ("entries provenance at", "equity values"),
    "strategy.deployment/1": ("deployment provenance at", ""),
    "strategy.signal/1": (
        "id deployment_id instrument_id target folded action confidence at",
        "details price scale whole rebalance",
    ),
    "order.decided/1": (
        "order_id spec venue_client_id session_date approved checks provenance arrival at",
        "send_by since held kept together",
    ),
    "order.rechecked/1": ("order_id approved checks at", "waited quantity"),
    "order.moved/1": (
        "order_id event state at",
        (
            "reason rule limit value layer venue_order_id venue_at bar triggered by_venue quantity limit_price"
            " stop_price provenance"
        ),
    ),
    "order.amend/1": ("order_id quantity limit_price stop_price checks provenance at", "since"),
    "fill.booked/1": ("fill state entries at", "bar venue_order_id"),
    "order.adopted/1": ("order_id spec venue_client_id venue_order_id session_date state at", "twin_of"),
    "position.corrected/1": ("id key quantity price reason at", ""),
    "split.applied/1": ("split positions orders at", "entries composites"),
    "dividend.paid/1": ("dividend at", "entries"),
    "account.nights/1": ("account_id nights at", "entries"),
    "position.protection/1": ("key at", "link side best rule since"),
    "panic.started/1": ("id scope keep_positions cooldown provenance at", "reason wall"),
    "panic.moved/1": ("id orders positions at", "round stuck done"),
    "panic.ended/1": ("id orders positions provenance at", ""),
    "route.set/1": ("route provenance at", ""),
    "route.removed/1": ("user_id name provenance at", ""),
    "order.routed/1": ("order_id route rule candidates at", ""),
    "follow-up.set/1": ("id kind key awaits until client_order_id provenance at", "quantity"),
    "follow-up.done/1": ("id at", "reason"),
    "mtm.rules/1": ("scope rules version currency base equity day provenance at", ""),
    "mtm.based/1": ("scope why base equity day at", ""),
    "mtm.peak/1": ("scope peak at", ""),
    "mtm.breached/1": ("id scope rule limit value peak base equity currency action version at", ""),
    "mtm.stopped/1": ("id key scope rule until cooldown reason provenance at", "only wall"),
    "mtm.planned/1": ("scope calendar at", "plan done next kept"),
    "market.sessions/1": ("calendar zone sessions at", ""),
    "walkforward.opened/1": ("session provenance at", ""),
    "walkforward.moved/1": ("session_id status at", "close reason provenance"),
    "walkforward.completed/1": ("session_id figures at", ""),
    "limits.scope/1": ("scope rules version provenance at", "results"),
    "limits.day/1": ("scope account_id result at", "best"),
    "limits.drawdown/1": ("scope tier drawdown at", "limit lifted index best provenance"),
    "limits.rejects/1": ("account_id at", "count limit window lifted provenance"),
    "composite.started/1": (
        "id account_id book client_order_id terms approved checks provenance at",
        "closes slots wake",
    ),
    "composite.moved/1": ("id state at", "step wake ending reason terms slots provenance unmoved"),
    "composite.ended/1": ("id state at", "reason"),
    "copy.link/1": ("link provenance at", ""),
    "copy.taken/1": (
        "link_id source kind instrument_id held wanted at",
        "carry owed master_order_id orders quantity skipped factor stale owed_at owed_price",
    ),
    "copy.cursor/1": ("cursor at", ""),
    "order.kept/1": ("order_id kept at", "provenance"),
    "order.released/1": (
        "order_id venue_client_id session_date approved checks quantity kept since at",
        "send_by triggered",
    ),
    "account.day-closed/1": ("id account_id session_date cash equity marks at", "fx contributed growth drawdown"),
    "feed.cursor/1": ("cursor at", "states ended places"),
    "account.reconciled/1": ("account_id at", "differences routine"),
    "account.switched/1": ("account_id active provenance at", "reason"),
    "account.live/1": ("account_id on custody provenance at", ""),
    "account.renamed/1": ("account_id name provenance at", "erased"),
    "fx.rates/1": ("rates provenance at", ""),
    "portfolio.changed/1": ("portfolio provenance at", ""),
    "portfolio.book/1": ("portfolio_id account_id book joins worth value provenance at", ""),
    "cash.transferred/1": ("entries provenance at", "equity values"),
    "rebalance.started/1": ("rebalance provenance at", "attempt"),
    "rebalance.ended/1": ("id portfolio_id after traded cost success at", "reasons"),
    "rebalance.schedule/1": ("portfolio_id provenance at", "schedule"),
    "rebalance.run/1": ("run provenance at", ""),
    "rebalance.run-closed/1": ("id portfolio_id state at", "reason provenance"),
    "portfolio.day-closed/1": (
        "id portfolio_id session_date value cash contributed growth drawdown periods at",
        "volatility sharpe sortino trades wins holdings",
    ),
    "alert.raised/1": ("id level kind message at", "account_id order_id deployment_id"),
}

# What has joined since the first release: types, and fields of those that were there.
JOINED_TYPES = {
    "dividend.paid/1",
    "account.nights/1",
    "position.protection/1",
    "panic.started/1",
    "panic.moved/1",
    "panic.ended/1",
    "rebalance.schedule/1",
    "rebalance.run/1",
    "rebalance.run-closed/1",
    "copy.link/1",
    "copy.taken/1",
    "copy.cursor/1",
    "route.set/1",
    "route.removed/1",
    "order.routed/1",
    "follow-up.set/1",
    "follow-up.done/1",
    "mtm.rules/1",
    "mtm.based/1",
    "mtm.peak/1",
    "mtm.breached/1",
    "mtm.stopped/1",
    "mtm.planned/1",
    "market.sessions/1",
    "walkforward.opened/1",
    "walkforward.moved/1",
    "walkforward.completed/1",
    "limits.scope/1",
    "limits.day/1",
    "limits.drawdown/1",
    "limits.rejects/1",
    "composite.started/1",
    "composite.moved/1",
    "composite.ended/1",
    "order.kept/1",
    "order.released/1",
    "account.switched/1",
    "account.renamed/1",
    "account.live/1",
    "fx.rates/1",
    "portfolio.changed/1",
    "portfolio.book/1",
    "cash.transferred/1",
    "rebalance.started/1",
    "rebalance.ended/1",
    "portfolio.day-closed/1",
}
JOINED = {
    "order.adopted/1": "twin_of",
    "account.reconciled/1": "routine",
    "order.decided/1": "since held kept together",
    "order.rechecked/1": "quantity",
    "order.moved/1": "layer",
    "split.applied/1": "composites",
    "order.amend/1": "since",
    "cash.booked/1": "equity values",
    "account.day-closed/1": "contributed growth drawdown",
    "strategy.signal/1": "price scale whole rebalance",
    "feed.cursor/1": "ended places",
}


def tag(record_type: type) -> str:
    return str(record_type.__struct_config__.tag)  # type: ignore[attr-defined]


@pytest.mark.parametrize("record_type", TYPES, ids=tag)
def test_shapes(record_type: type) -> None:
    parts = fields(record_type)
    required = " ".join(f.name for f in parts if f.required)
    optional = " ".join(f.name for f in parts if not f.required)
    assert (required, optional) == SHAPES[tag(record_type)]


def test_no_tag_is_lost_or_used_twice() -> None:
    assert sorted(map(tag, TYPES)) == sorted(SHAPES)


def defaults(record_type: type, names: list[str]) -> dict[str, object]:
    found = [field for field in fields(record_type) if field.name in names]
    return {one.name: one.default if one.default_factory is msgspec.NODEFAULT else {} for one in found}


def test_the_bytes_of_every_record_are_those_of_the_first_release() -> None:
    first = [sample for sample in SAMPLES if tag(type(sample)) not in JOINED_TYPES]
    joined = [JOINED.get(tag(type(sample)), "").split() for sample in first]
    then = [structs.replace(one, **defaults(type(one), names)) for one, names in zip(first, joined, strict=True)]
    plain = msgspec.msgpack.encode(msgspec.msgpack.decode(encode(tuple(then))))  # whatever room was left for fields
    digest = sha256(plain).hexdigest()
    assert digest == "1982b0bc64c87e3006d3c7e78d392dd6a2bd6807681a6a1e906801cf0244900d"


@pytest.mark.parametrize("record", SAMPLES, ids=lambda record: tag(type(record)))
def test_every_record_comes_back(record: AnyRecord) -> None:
    (back,) = decode(encode((record,)))
    assert back == record
    assert type(back) is type(record)
    for name in record.__struct_fields__:
        default = next(f for f in fields(type(record)) if f.name == name).default
        assert getattr(record, name) != default or name == "by_venue", f"the sample says nothing of {name}"


def test_there_is_a_sample_of_every_type() -> None:
    assert {type(sample) for sample in SAMPLES} == set(TYPES)
    assert decode(encode(SAMPLES)) == SAMPLES


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**28), max_value=10**28))
def test_decimals_come_back_digit_by_digit(amount: Decimal) -> None:
    record = DayClosed(at=1, id="d", account_id="a", session_date=SAMPLES[8].session_date, cash=amount,  # type: ignore[union-attr]
                       equity=amount, marks={"i": amount})  # fmt: skip
    (back,) = decode(encode((record,)))
    assert isinstance(back, DayClosed)
    assert back.cash.as_tuple() == amount.as_tuple()


@given(st.binary(max_size=200))
def test_any_memory_of_a_strategy_comes_back(memory: bytes) -> None:
    record = CursorMoved(at=1, cursor=2, states={"d": memory})
    assert decode(encode((record,))) == (record,)


def test_a_record_of_an_older_release_may_lack_what_has_a_default() -> None:
    old = msgspec.msgpack.encode([{"t": "run.started/1", "at": 1, "run": "r", "version": "0.1.0"}])
    assert decode(old) == (RunStarted(at=1, run="r", version="0.1.0"),)


def test_a_record_of_a_newer_release_may_have_more() -> None:
    newer = msgspec.msgpack.encode([{"t": "run.started/1", "at": 1, "run": "r", "version": "9", "colour": "blue"}])
    assert decode(newer) == (RunStarted(at=1, run="r", version="9"),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        encode(SAMPLES)[:-1],
        msgspec.msgpack.encode([{"t": "run.started/2", "at": 1}]),
        msgspec.msgpack.encode([{"t": "run.started/1", "at": 1, "run": "r"}]),
        msgspec.msgpack.encode([{"t": "run.started/1", "at": "1", "run": "r", "version": "1"}]),
    ],
)
def test_what_does_not_decode_is_a_corrupt_journal(body: bytes) -> None:
    with pytest.raises(JournalCorrupt, match="does not decode"):
        decode(body)


def test_the_chain_names_every_field_of_a_batch() -> None:
    batch = Batch("main", 1, 1, 2, GENESIS, encode((AlertRaised(at=1, id="x", level="info", kind="k", message="m"),)))
    others = [
        msgspec.structs.replace(batch, **change)
        for change in ({"shard": "other"}, {"epoch": 2}, {"first_seq": 0}, {"last_seq": 3}, {"body": b"x"})
    ]
    others.append(msgspec.structs.replace(batch, prev_hash=chain_hash(batch)))
    hashes = {chain_hash(one) for one in (batch, *others)}
    assert len(hashes) == len(others) + 1
    assert chain_hash(batch) == chain_hash(msgspec.structs.replace(batch))
