"""What a split does to holdings and working orders: pure functions, shared by simulated venues and the engine.

A venue knows an account's whole holding, the engine its books. `split_books` rounds the whole once and shares
the result out, so that the sum of the books is always the venue's figure. Holdings are cut to whole lots and
the fraction is paid out at the last raw price brought to new shares. An order keeps `filled + remaining`, both
cut to whole lots; limits are rounded to the tick in the order's favour, stops to the nearest tick.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from functools import partial

import msgspec
from msgspec import Struct

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Split
from evenkeel.domain.money import ZERO, add, minor_unit, mul, ratio, rounded, sub, total
from evenkeel.domain.orders import Kept, Side


class SplitHolding(Struct, frozen=True):
    """A holding after a split: whole lots, and the cash paid (negative: owed) for the fraction not kept."""

    quantity: Decimal
    cash_in_lieu: Decimal


class SplitTerms(Struct, frozen=True):
    """An order after a split. It is over when `quantity` equals `filled`: less than a lot was left to do."""

    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None


def split_position(quantity: Decimal, split: Split, *, instrument: Instrument, last_price: Decimal) -> SplitHolding:
    """One holding of `quantity` (signed). `last_price` is the last raw price before the split."""
    return split_books((quantity,), split, instrument=instrument, last_price=last_price)[0]


def split_books(
    quantities: Sequence[Decimal], split: Split, *, instrument: Instrument, last_price: Decimal
) -> tuple[SplitHolding, ...]:
    """The holdings of one account, instrument and product, book by book (signed quantities).

    Their sum is what `split_position` makes of the sum: lots are dealt out by largest fraction, ties in the
    order given, and books that gain or lose a fraction settle it in cash, exactly. Raises InvalidInput.
    """
    _check(split)
    lot = instrument.lot_size
    exact = [mul(quantity, split.numerator) for quantity in quantities]
    cut = [_scaled(quantity, split, lot=lot, rounding=ROUND_FLOOR) for quantity in quantities]
    whole = _scaled(total(tuple(quantities)), split, lot=lot, rounding=ROUND_DOWN)
    left = [sub(old, mul(new, split.denominator)) for old, new in zip(exact, cut, strict=True)]
    spare = int(ratio(sub(whole, total(tuple(cut))), lot))
    by_fraction = sorted(range(len(cut)), key=lambda place: (-left[place], place))
    for place in by_fraction[:spare]:
        cut[place] = add(cut[place], lot)
    if not by_fraction:
        return ()
    in_lieu = partial(_in_lieu, split=split, instrument=instrument, last_price=last_price)
    cash = [in_lieu(old, new) for old, new in zip(exact, cut, strict=True)]
    due = in_lieu(total(tuple(exact)), whole)
    first = by_fraction[0]
    cash[first] = add(cash[first], sub(due, total(tuple(cash))))
    return tuple(SplitHolding(quantity, paid) for quantity, paid in zip(cut, cash, strict=True))


def split_order(terms: SplitTerms, split: Split, *, side: Side, instrument: Instrument) -> SplitTerms:
    """A working order's quantity, filled quantity and prices in new shares. Raises InvalidInput."""
    _check(split)
    lot = instrument.lot_size
    filled = _scaled(terms.filled, split, lot=lot, rounding=ROUND_DOWN)
    remaining = _scaled(sub(terms.quantity, terms.filled), split, lot=lot, rounding=ROUND_DOWN)
    favourable = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return SplitTerms(
        add(filled, remaining),
        filled,
        _price(terms.limit_price, split, tick=instrument.tick_size, rounding=favourable),
        _price(terms.stop_price, split, tick=instrument.tick_size, rounding="ROUND_HALF_EVEN"),
    )


def split_kept(kept: Kept, split: Split, *, instrument: Instrument, filled: Decimal) -> Kept:
    """What is kept of an order, in new shares: prices it waits for or follows as stops are, an amount no less than a
    tick, and the quantity of a change under way as that of an order of which `filled` has been. Raises InvalidInput.
    """
    _check(split)
    restated = partial(_price, split=split, tick=instrument.tick_size)
    in_lots = partial(_scaled, split=split, lot=instrument.lot_size, rounding=ROUND_DOWN)
    trail, asked = kept.trail, kept.asked
    if trail is not None and trail.amount is not None:
        trail = msgspec.structs.replace(trail, amount=restated(trail.amount, rounding="ROUND_HALF_EVEN"))
    if trail is not None and trail.limit_offset:
        trail = msgspec.structs.replace(trail, limit_offset=restated(trail.limit_offset, rounding="ROUND_HALF_EVEN"))
    return msgspec.structs.replace(
        kept,
        level=restated(kept.level, rounding="ROUND_HALF_EVEN"),
        trail=trail,
        best=kept.best * float(split.denominator) / float(split.numerator),
        asked=None if asked is None else add(in_lots(filled), in_lots(sub(asked, filled))),
    )


def _check(split: Split) -> None:
    if split.numerator <= 0 or split.denominator <= 0:
        raise InvalidInput(f"a split of {split.numerator}:{split.denominator} needs two positive numbers")


def _scaled(quantity: Decimal, split: Split, *, lot: Decimal, rounding: str) -> Decimal:
    return rounded(ratio(mul(quantity, split.numerator), split.denominator), lot, rounding)


def _price(price: Decimal | None, split: Split, *, tick: Decimal, rounding: str) -> Decimal | None:
    if price is None:
        return None
    return max(tick, rounded(ratio(mul(price, split.denominator), split.numerator), tick, rounding))


def _in_lieu(exact: Decimal, kept: Decimal, *, split: Split, instrument: Instrument, last_price: Decimal) -> Decimal:
    """Cash for what is not kept: left / denominator new shares at last_price * denominator / numerator each."""
    left = sub(exact, mul(kept, split.denominator))
    if not left:
        return ZERO
    value = mul(mul(left, last_price), instrument.multiplier)
    return rounded(ratio(value, split.numerator), minor_unit(instrument.currency))
