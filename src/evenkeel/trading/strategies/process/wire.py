"""How requests and answers travel: frames of four bytes of length, big-endian, and one MessagePack message.

Outputs are of types that the journal knows, too, and carry no common tag there; here each is sent with its kind.
"""

import msgspec
from msgspec import Struct

from evenkeel.domain.commands import CancelOrder, SubmitComposite, SubmitOrder
from evenkeel.domain.strategies import Signal
from evenkeel.trading.strategies.messages import Answer, AnyRequest, HostFault, Output

LENGTH = 4
MOST_BYTES = 64 * 1024 * 1024


class _Sent(Struct, frozen=True, tag_field="k"):
    """One output."""


class _Signal(_Sent, frozen=True, tag="signal"):
    of: Signal


class _Submit(_Sent, frozen=True, tag="submit"):
    of: SubmitOrder


class _Compose(_Sent, frozen=True, tag="compose"):
    of: SubmitComposite


class _Cancel(_Sent, frozen=True, tag="cancel"):
    of: CancelOrder


class _Fault(_Sent, frozen=True, tag="fault"):
    of: HostFault


class _Reply(Struct, frozen=True, omit_defaults=True):
    outputs: tuple[_Signal | _Submit | _Compose | _Cancel | _Fault, ...] = ()
    states: dict[str, bytes | None] = {}
    lookback: int = 0
    path_dependent: bool | None = None


encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(AnyRequest).decode
_decode_reply = msgspec.msgpack.Decoder(_Reply).decode


def encode_answer(answer: Answer) -> bytes:
    """Raises TypeError, ValueError or OverflowError where an output holds what cannot be sent."""
    outputs = tuple(_sent(output) for output in answer.outputs)
    return encode(_Reply(outputs, answer.states, answer.lookback, answer.path_dependent))


def decode_answer(body: bytes) -> Answer:
    """Raises msgspec.MsgspecError."""
    reply = _decode_reply(body)
    return Answer(tuple(one.of for one in reply.outputs), reply.states, reply.lookback, reply.path_dependent)


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(LENGTH, "big") + body


def _sent(output: Output) -> _Signal | _Submit | _Compose | _Cancel | _Fault:
    match output:
        case Signal():
            return _Signal(output)
        case SubmitOrder():
            return _Submit(output)
        case SubmitComposite():
            return _Compose(output)
        case CancelOrder():
            return _Cancel(output)
        case HostFault():
            return _Fault(output)
