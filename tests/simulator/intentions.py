"""What a trader asks for beside plain orders: composites, orders that wait, positions closed, turned or resized."""

from decimal import Decimal
from random import Random

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain import composites as kinds
from evenkeel.domain.clock import SECOND
from evenkeel.domain.commands import AnyCommand
from evenkeel.domain.composites import OnFailure, Terms
from evenkeel.domain.orders import OrderKind, OrderSpec, Side, TimeInForce, Trail, Trigger
from evenkeel.domain.provenance import Provenance
from tests.simulator.market import INSTRUMENTS

CENT = Decimal("0.01")


class Intentions:
    """Draws one command at a time. `named` are the composites that were asked for, by their client order ids."""

    def __init__(self, draw: Random, prices: dict[str, float], who: Provenance) -> None:
        self._draw = draw
        self._prices = prices
        self._who = who
        self.named: list[str] = []
        self._serial = 0

    def _name(self, letter: str) -> str:
        self._serial += 1
        return f"{letter}{self._serial}"

    def _at(self, instrument_id: str, away: float) -> Decimal:
        return Decimal(round(self._prices[instrument_id] * (1 + away) * 100)).scaleb(-2)

    def _spec(self, side: Side, name: str, *, instrument_id: str | None = None, away: float | None = None) -> OrderSpec:
        draw = self._draw
        instrument_id = instrument_id or draw.choice(INSTRUMENTS).id
        return OrderSpec(
            account_id=draw.choice(("A", "B")),
            book="manual",
            instrument_id=instrument_id,
            side=side,
            quantity=Decimal(draw.choice((20, 60, 120))),
            kind=OrderKind.MARKET if away is None else OrderKind.LIMIT,
            client_order_id=name,
            limit_price=None if away is None else self._at(instrument_id, away),
            time_in_force=TimeInForce.GTC,
        )

    def waiting(self, spec: OrderSpec, now: int) -> OrderSpec:
        """An order with something for the engine to see to: a price it waits for, a moment, a stop that follows."""
        draw, replace = self._draw, msgspec.structs.replace
        match draw.randrange(4):
            case 0:
                price = self._at(spec.instrument_id, draw.choice((-0.004, 0.004)))
                return replace(spec, trigger=Trigger(price))
            case 1:
                until = now + round(draw.uniform(0.2, 3.0) * SECOND)
                return replace(spec, time_in_force=TimeInForce.GTD, expires_at=until)
            case 2:
                return replace(spec, not_before=now + round(draw.uniform(0.1, 2.0) * SECOND))
        offset = draw.choice((None, 5 * CENT))
        return replace(
            spec,
            kind=OrderKind.TRAILING_STOP if offset is None else OrderKind.TRAILING_STOP_LIMIT,
            limit_price=None,
            stop_price=None,
            time_in_force=TimeInForce.GTC,
            trail=Trail(amount=20 * CENT, limit_offset=offset),
        )

    def composite(self, now: int) -> tuple[AnyCommand, str]:
        """One composite order, in words too; now and then the end of one."""
        name = self._name("c")
        terms = self._terms(name, now)
        self.named.append(name)
        return c.SubmitComposite(provenance=self._who, client_order_id=name, terms=terms), f"{name}: {_kind(terms)}"

    def _terms(self, name: str, now: int) -> Terms:
        draw, side = self._draw, self._draw.choice((Side.BUY, Side.BUY, Side.SELL))
        entry = self._spec(side, name, away=draw.choice((None, -0.002 * side.sign)))
        of, sign = entry.instrument_id, side.sign
        match draw.randrange(6):
            case 0:
                return kinds.Bracket(entry, self._at(of, -0.01 * sign), self._at(of, 0.01 * sign))
            case 1:
                return kinds.Cover(entry, self._at(of, -0.01 * sign))
            case 2:
                first = msgspec.structs.replace(
                    entry, kind=OrderKind.LIMIT, limit_price=self._at(of, -0.004 * sign), stop_price=None
                )
                second = msgspec.structs.replace(
                    first, kind=OrderKind.STOP, limit_price=None, stop_price=self._at(of, 0.004 * sign)
                )
                return kinds.OneCancelsOther(first, second)
            case 3:
                limited = msgspec.structs.replace(entry, kind=OrderKind.LIMIT, limit_price=self._at(of, 0.002 * sign))
                return kinds.Iceberg(limited, Decimal(10))
            case 4:
                return kinds.Slices(entry, kinds.Fixed(3, round(0.3 * SECOND)))
        other = msgspec.structs.replace(entry, side=side.other, kind=OrderKind.MARKET, limit_price=None)
        return kinds.Legs((entry, other), draw.choice(tuple(OnFailure)))

    def position(self) -> tuple[AnyCommand, str]:
        """Something to be done with what is held."""
        draw, name = self._draw, self._name("p")
        account_id, of = draw.choice(("A", "B")), draw.choice(INSTRUMENTS).id
        who = self._who
        match draw.randrange(3):
            case 0:
                command: AnyCommand = c.ClosePosition(
                    provenance=who, account_id=account_id, instrument_id=of, client_order_id=name
                )
            case 1:
                command = c.ReversePosition(
                    provenance=who, account_id=account_id, instrument_id=of, client_order_id=name, book="manual"
                )
            case _:
                command = c.TargetPosition(
                    provenance=who,
                    account_id=account_id,
                    instrument_id=of,
                    client_order_id=name,
                    quantity=Decimal(draw.choice((0, 50, 150, -50))),
                )
        return command, f"{type(command).__name__} of {of} in account {account_id}"


def _kind(terms: Terms) -> str:
    return f"{type(terms).__name__} {msgspec.json.encode(terms).decode()}"
