"""Bytes in, bytes out: JSON bodies, queries and numbers are read strictly, and every fault is told with its field.

The fast path is one msgspec decode. Only when that fails is the request read again, field by field, to list all
of its faults at once.
"""

import asyncio
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from fastapi import Request, Response
from msgspec import Raw, Struct

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.sizing import Sizing, Units
from evenkeel.server import requests
from evenkeel.server.problems import BodyTooSlow, MalformedBody, PayloadTooLarge, UnsupportedMediaType

T = TypeVar("T", bound=Struct)

MAX_BODY = 64 * 1024
MAX_MANY = 1024 * 1024
BODY_SECONDS = 30.0
ENCODER = msgspec.json.Encoder()
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,18})?")
_LONGEST = 6 * 37 + 2  # a sign, 35 digits and the point, each of them escaped, in quotes; nothing longer is kept
_PATTERNS = {
    "positive": (re.compile(requests.POSITIVE), "a number greater than 0"),
    "share": (re.compile(requests.SHARE), "a share from 0 to 1"),
    "not-negative": (re.compile(requests.NOT_NEGATIVE), "a number, 0 or more"),
    "signed": (re.compile(requests.SIGNED), "a number"),
}


class Json(Response):
    """A Struct as JSON."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(ENCODER.encode(content), status_code, headers)


class Fields:
    """Reads raw numbers of a request and gathers the faults of all of them."""

    def __init__(self) -> None:
        self.faults: list[FieldError] = []

    def number(self, name: str, raw: Raw, kind: str = "positive") -> Decimal | None:
        """The exact decimal of a JSON string or number; None where it is absent, null, or at fault."""
        text = bytes(raw)
        if not text or text == b"null":
            return None
        found = _number(text, kind) if len(text) <= _LONGEST else None
        if found is None:
            shape = "at most 17 digits before and 18 after the point, as a string or a number"
            self.fault(name, f"{text.decode()[:60]} is not {_PATTERNS[kind][1]} ({shape})")
        return found

    def required(self, name: str, raw: Raw, kind: str = "positive") -> Decimal:
        """As `number`, and a fault when absent. What it returns after a fault is never used: `check` raises."""
        value = self.number(name, raw, kind)
        if value is None and not any(fault.field == name for fault in self.faults):
            self.fault(name, "is required")
        return value if value is not None else Decimal(0)

    def size(self, name: str, raw: Raw) -> Sizing | None:
        """A number of units, or a rule with its type; None where it is absent, null, or at fault."""
        if not bytes(raw).startswith(b"{"):
            units = self.number(name, raw)
            return None if units is None else Units(units)
        try:
            rule: Sizing = msgspec.json.decode(raw, type=Sizing)
        except InvalidInput as error:
            self.faults.extend(error.errors)
        except msgspec.MsgspecError as error:
            self.fault(name, f"is not a size: {str(error)[:200]}")
        else:
            return rule
        return None

    def fault(self, name: str, message: str) -> None:
        self.faults.append(FieldError(name, message))

    def check(self, what: str = "the request is not valid") -> None:
        """Raises InvalidInput with every fault so far."""
        if self.faults:
            raise InvalidInput(what, errors=tuple(self.faults))


@lru_cache(maxsize=4096)
def _number(raw: bytes, kind: str) -> Decimal | None:
    """The decimal that a JSON literal says; None where it is not of its kind."""
    plain = _plain(raw.decode())
    return Decimal(plain) if plain is not None and _PATTERNS[kind][0].fullmatch(plain) else None


def _plain(text: str) -> str | None:
    """The digits of a JSON string or number literal, exponents written out; None where it is neither."""
    if text.startswith('"'):
        body: str = msgspec.json.decode(text)
        return body if _NUMBER.fullmatch(body) else None
    if text[0] not in "-0123456789" or len(text) > 60:
        return None
    value = Decimal(text)
    if value and not -18 <= value.adjusted() <= 17:
        return None
    return f"{value:f}"


async def body(request: Request, shape: type[T], *, most: int = MAX_BODY) -> T:
    """The request's JSON body as `shape`, of at most so many bytes. Raises the problem that names what is wrong."""
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != "application/json":
        raise UnsupportedMediaType(f"the body is {content_type or 'of no stated type'}", hint="Send application/json.")
    data = await _read(request, most)
    try:
        decoded: T = _decoder(shape).decode(data)
        return decoded
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        faults = _faults(data, shape)
    raise InvalidInput("the request is not valid", errors=tuple(faults))


async def whole(request: Request, *, most: int = MAX_MANY) -> bytes:
    """All of a request's body, of whatever type and at most so many bytes. Raises PayloadTooLarge, BodyTooSlow."""
    return await _read(request, most)


async def _read(request: Request, most: int) -> bytes:
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > most:
        raise PayloadTooLarge(f"the body is larger than {most // 1024} KiB")
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > most:
                    raise PayloadTooLarge(f"the body is larger than {most // 1024} KiB")
    except TimeoutError:
        raise BodyTooSlow(f"the whole body did not come within {BODY_SECONDS:g} seconds") from None
    return bytes(data)


@lru_cache(maxsize=64)
def _decoder(shape: type[Any]) -> Any:
    return msgspec.json.Decoder(shape)


def _faults(data: bytes, shape: type[Struct]) -> list[FieldError]:
    if not data.strip():
        raise MalformedBody("the body is empty", hint="Send a JSON object.")
    try:
        given = msgspec.json.decode(data, type=dict[str, Raw])
    except msgspec.ValidationError:
        return [FieldError("", "the body must be a JSON object")]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"the body is not JSON: {_one_line(error)}") from None
    found = [FieldError(name[:80], "is not a known field") for name in given if name not in _names(shape)]
    for one in msgspec.structs.fields(shape):
        if one.name in given:
            found += _fault_of(one, given[one.name])
        elif one.required:
            found.append(FieldError(one.name, "is required"))
    if not found:
        raise MalformedBody("the body is not valid JSON text")
    return found


def _fault_of(one: Any, raw: Raw) -> Iterable[FieldError]:
    try:
        msgspec.json.decode(raw, type=one.type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        yield from _by_key(one, raw) or (_explained(one.type, error, at=one.name),)


def _by_key(one: Any, raw: Raw) -> list[FieldError]:
    """What is wrong with the values of a mapping, whose keys the decoder does not tell; none where it is not that."""
    shape = get_args(one.type)[0] if get_origin(one.type) is Annotated else one.type
    if get_origin(shape) is not dict:
        return []
    shape, found = get_args(shape)[1], []
    try:
        parts = msgspec.json.decode(raw, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    for key, part in parts.items():
        try:
            msgspec.json.decode(part, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            found.append(_explained(shape, error, at=f"{one.name}.{key[:80]}"))
    return found


def _names(shape: type[Struct]) -> set[str]:
    return {one.encode_name for one in msgspec.structs.fields(shape)}


_WHERE = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_GOT = re.compile(r"^Expected `(int|float)\b[^`]*`, got `(str|float)`")


def _explained(shape: Any, error: Exception, *, at: str, is_json: bool = True) -> FieldError:
    """A fault in words of the field `at`: what it may be, where the type says so, else what the decoder saw."""
    text = _one_line(error)
    where = _WHERE.search(text)
    path = re.sub(r"\[(\d*)(\.\.\.)?\]", r".\1", where[1]).rstrip(".") if where else ""
    at_fault = _at(msgspec.inspect.type_info(shape), path.split(".")[1:])
    expected = None if at_fault is None or "`key in" in text else _expected(at_fault)
    message = f"must be {expected}{_form(text) if is_json else ''}" if expected else _WHERE.sub("", text)
    return FieldError(at + path, message[0].lower() + message[1:])


def _form(text: str) -> str:
    """How a number is to be written that was given in another form; nothing where its form is not what is wrong."""
    found = _GOT.search(text)
    if found is None:
        return ""
    return ", as a JSON number without quotes" if found[2] == "str" else ", a whole number"


def _at(info: Any, path: list[str]) -> Any:
    """What the type says of a part of it; None for a part that it does not know."""
    if not path:
        return info
    name, *rest = path
    inspect = msgspec.inspect
    match info:
        case inspect.UnionType():
            return next((found for part in info.types if (found := _at(part, path)) is not None), None)
        case inspect.Metadata():
            return _at(info.type, path)
        case inspect.StructType():
            return next((_at(part.type, rest) for part in info.fields if part.encode_name == name), None)
        case inspect.ListType():
            return _at(info.item_type, rest)
        case inspect.DictType():
            return _at(info.value_type, rest)
    return None


def _expected(info: Any) -> str | None:
    parts = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    for part in parts:
        if isinstance(part, msgspec.inspect.Metadata):
            return (part.extra_json_schema or {}).get("description")
        if isinstance(part, msgspec.inspect.EnumType):
            return "one of " + ", ".join(str(member.value) for member in part.cls)
        if isinstance(part, msgspec.inspect.LiteralType):
            return "one of " + ", ".join(str(value) for value in part.values)
    return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def idempotency_key(request: Request, fields: Fields, *, most: int = 64) -> str | None:
    """The header that stands in for a name which the body lacks; None without one. An ill-formed one is a fault."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (1 <= len(key) <= most and key.isprintable()):
        fields.fault("Idempotency-Key", f"must be 1 to {most} printable characters")
    return key


def query(request: Request, shape: type[T]) -> T:
    """The query string as `shape`: unknown, repeated and ill-formed parameters are all listed."""
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    found = _converted(given, shape) if len(given) == len(pairs) else None
    if found is not None:
        return found
    raise InvalidInput("the query is not valid", errors=tuple(_query_faults(given, shape, [name for name, _ in pairs])))


def _converted(given: dict[str, str], shape: type[T]) -> T | None:
    if any(map(_is_null, given.values())):
        return None
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError:
        return None


def _query_faults(given: dict[str, str], shape: type[Struct], names: list[str]) -> list[FieldError]:
    known = {one.name: one for one in msgspec.structs.fields(shape)}
    found = [FieldError(name[:80], "is not a known parameter") for name in given if name not in known]
    found += [FieldError(name[:80], "is given more than once") for name in given if names.count(name) > 1]
    found += [FieldError(one.name, "is required") for one in known.values() if one.required and one.name not in given]
    for name, value in given.items():
        if name in known:
            found += _query_fault(known[name], value)
    return found


def _is_null(value: str) -> bool:
    """Whether lax conversion would take a written null for nothing."""
    return value.lower() == "null"


def _query_fault(one: Any, value: str) -> Iterable[FieldError]:
    if _is_null(value):
        yield FieldError(one.name, "has no null: leave it out")
        return
    try:
        msgspec.convert(value, one.type, strict=False)
    except msgspec.ValidationError as error:
        yield _explained(one.type, error, at=one.name, is_json=False)
