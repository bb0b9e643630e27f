"""Copy links: what one account does is done in another, on terms of their own; and the arithmetic of sizes.

A link copies the master's orders or its fills, never both. Beside each of the master's positions it keeps `wanted`,
what the follower is to hold of it: what opens adds its own share, what closes takes the same part away from both.
`wanted` is exact, what is ordered is whole lots of it: the rest is carried, and becomes a lot in time.
"""

from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import FieldError
from evenkeel.domain.instruments import AssetClass
from evenkeel.domain.limits import Window
from evenkeel.domain.money import ONE, ZERO, add, neg, portion, rounded, sub
from evenkeel.domain.orders import Product

STEP = Decimal("1E-12")
_FINE = Decimal("1E-9")
MAX_AGE = 10 * SECOND
_MOST = Decimal(1000)
_LONGEST_AGE = 24 * 3600 * SECOND


class CopyMode(StrEnum):
    """What is copied: orders as they are placed, changed and cancelled; or fills, each by an order of its own."""

    ORDERS = "orders"
    FILLS = "fills"


class CopySide(StrEnum):
    """Which of the master's positions are opened: all, only longs, or only shorts."""

    BOTH = "both"
    LONG = "long"
    SHORT = "short"


class Equal(Struct, frozen=True, tag_field="by", tag="equal"):
    """As many units as the master."""


class Fixed(Struct, frozen=True, tag_field="by", tag="fixed"):
    """So many units for each of the master's orders that opens, whatever its size."""

    quantity: Decimal


class Multiplier(Struct, frozen=True, tag_field="by", tag="multiplier"):
    """So many times the master's units."""

    factor: Decimal


class ByEquity(Struct, frozen=True, tag_field="by", tag="equity"):
    """In proportion to the equity of the two accounts."""


class ByFreeMargin(Struct, frozen=True, tag_field="by", tag="free-margin"):
    """In proportion to the equity that positions and working orders of the two accounts do not tie up."""


class ByVolatility(Struct, frozen=True, omit_defaults=True, tag_field="by", tag="volatility"):
    """In proportion to equity, and inversely to how much the price moves: `reference` ÷ its volatility a year.

    Without a `reference` it is the master's instrument that the follower's is measured by: both positions then move
    their account's equity as much. Volatility is of the last `window` daily closes.
    """

    reference: float | None = None
    window: int = 60


CopySizing = Equal | Fixed | Multiplier | ByEquity | ByFreeMargin | ByVolatility


class CopyFilter(Struct, frozen=True, omit_defaults=True):
    """What of the master is copied; an empty list is everything. `windows` are when positions are opened.

    `books` are strategies, portfolios or `manual`. What side and windows keep from being opened is closed all the same.
    """

    instrument_ids: tuple[str, ...] = ()
    asset_classes: tuple[AssetClass, ...] = ()
    books: tuple[str, ...] = ()
    side: CopySide = CopySide.BOTH
    windows: tuple[Window, ...] = ()

    def covers(self, book: str, instrument_id: str, *, asset_class: AssetClass) -> bool:
        """Whether a position of the master is followed."""
        return (
            (not self.books or book in self.books)
            and (not self.instrument_ids or instrument_id in self.instrument_ids)
            and (not self.asset_classes or asset_class in self.asset_classes)
        )

    def meets(self, other: "CopyFilter") -> bool:
        """Whether there may be something that both cover."""
        pairs = (
            (self.books, other.books),
            (self.instrument_ids, other.instrument_ids),
            (self.asset_classes, other.asset_classes),
        )
        return all(not one or not two or not set(one).isdisjoint(two) for one, two in pairs)


class SymbolRule(Struct, frozen=True, omit_defaults=True):
    """What the follower trades in an instrument's place: `quantity` units for one unit, at `price` times its price."""

    instrument_id: str
    quantity: Decimal = ONE
    price: Decimal = ONE


@lru_cache(maxsize=1_024)
def _itself(instrument_id: str) -> SymbolRule:
    return SymbolRule(instrument_id)


class CopyTerms(Struct, frozen=True, omit_defaults=True):
    """How large copies are and when they are made. `risk` multiplies every size.

    Nothing is opened at a price worse than the master's by more than `max_slippage` (a fraction; None: any), nor of an
    event older than `max_age` (ns).
    """

    sizing: CopySizing = Equal()
    risk: Decimal = ONE
    max_slippage: Decimal | None = None
    max_age: int = MAX_AGE


class CopyLink(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """From a master account to a follower account. Its id is the book in which the follower holds the copies.

    It copies once it is `accepted` by whoever owns the account that the proposer does not. `paused`, it opens nothing;
    what closes, changes and cancels still follows. `symbols` map the master's instruments.
    """

    id: str
    master_id: str
    follower_id: str
    mode: CopyMode
    proposed_by: str
    filter: CopyFilter = CopyFilter()
    symbols: dict[str, SymbolRule] = {}
    product: Product = Product.NONE
    terms: CopyTerms = CopyTerms()
    accepted: bool = False
    paused: bool = False
    removed: bool = False

    def rule(self, instrument_id: str) -> SymbolRule:
        """What stands for one of the master's instruments; itself where nothing else does. What stands in for another
        is not copied itself, or one position would have two masters: its rule names no instrument."""
        if not self.symbols:
            return _itself(instrument_id)
        found = self.symbols.get(instrument_id)
        if found is None:
            found = SymbolRule("" if self.stands_in(instrument_id) else instrument_id)
        return found

    def stands_in(self, instrument_id: str) -> bool:
        """Whether the follower trades it in another's place."""
        return any(rule.instrument_id == instrument_id for rule in self.symbols.values())


class CopyChange(Struct, frozen=True, omit_defaults=True):
    """What is to be otherwise of a link; None keeps what stands."""

    terms: CopyTerms | None = None
    accepted: bool | None = None
    paused: bool | None = None
    removed: bool | None = None


class CopyKind(StrEnum):
    """What befell the master, or what was made up for in the follower."""

    ORDER = "order"
    CHANGE = "change"
    CANCEL = "cancel"
    FILL = "fill"
    BUST = "bust"
    CORRECTION = "correction"
    SPLIT = "split"
    SETTLE = "settle"
    RESYNC = "resync"


class MasterFill(Struct, frozen=True, omit_defaults=True, tag_field="what", tag="fill"):
    """The master's position has moved by `quantity`, signed, at `price`; a correction has no order, and no trade.

    `at` (ns) is when it was known to have happened. `factor` is the follower's units for one of the master's; None for
    a reason that `unsized` says.
    """

    kind: CopyKind
    instrument_id: str
    quantity: Decimal
    price: Decimal
    at: int
    order_id: str = ""
    factor: Decimal | None = None
    unsized: str = ""


class MasterOrder(Struct, frozen=True, omit_defaults=True, tag_field="what", tag="order"):
    """The master has placed an order. `factor` and `unsized` mean what they mean of a fill."""

    order_id: str
    factor: Decimal | None = None
    unsized: str = ""


class MasterChange(Struct, frozen=True, tag_field="what", tag="change"):
    """One of the master's orders is not what it was: its copy is brought to where it stands."""

    order_id: str


class MasterSplit(Struct, frozen=True, tag_field="what", tag="split"):
    """An instrument that the master or the follower trades has split, and left the master with `held` of it. What the
    follower is to hold of it moves as that has; of what the master does not trade, by `ratio`."""

    instrument_id: str
    held: Decimal
    ratio: tuple[Decimal, Decimal]


class FollowerMoved(Struct, frozen=True, omit_defaults=True, tag_field="what", tag="follower"):
    """Copies of these instruments of the master's have filled, or their account is back: the follower holds too much of
    them, or something has waited for that. The copies of these of its orders are open, and brought to where those
    stand."""

    instrument_ids: tuple[str, ...]
    order_ids: tuple[str, ...] = ()


CopyEvent = MasterFill | MasterOrder | MasterChange | MasterSplit | FollowerMoved


class CopyTarget(Struct, frozen=True):
    """What a follower is to hold from now on, exactly, for one of the master's instruments."""

    instrument_id: str
    wanted: Decimal


class Held(Struct, frozen=True):
    """What a follower holds in a book, signed, and what works there to be bought and sold."""

    quantity: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO

    @property
    def expected(self) -> Decimal:
        """With all that works."""
        if not self.buys and not self.sells:
            return self.quantity
        return sub(add(self.quantity, self.buys), self.sells)

    def least(self, side: int) -> Decimal:
        """With only what works on a side (1 buys, -1 sells): the others may never fill."""
        return add(self.quantity, self.buys) if side > 0 else sub(self.quantity, self.sells)

    def closable(self, side: int) -> Decimal:
        """How much an order of a side may close that nothing closes yet."""
        return max(ZERO, self.least(side) if side < 0 else neg(self.least(side)))


class Copied(Struct, frozen=True):
    """How much is to be closed and opened by two orders of one side; `owed`, signed, waits for what is on its way."""

    side: int
    close: Decimal = ZERO
    open: Decimal = ZERO
    owed: Decimal = ZERO


def parts(held: Decimal, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """How much of a signed trade closes what is held, and how much opens, both unsigned."""
    size = quantity.copy_abs()
    if not held or (held > 0) == (quantity > 0):
        return ZERO, size
    closing = min(held.copy_abs(), size)
    return closing, sub(size, closing)


def wanted_after(wanted: Decimal, held: Decimal, *, quantity: Decimal, factor: Decimal) -> Decimal:
    """What the follower is to hold after a trade of the master's, who held `held` before it.

    What closes takes the same part away from both; what opens adds `factor` times itself.
    """
    closing, opening = parts(held, quantity)
    if closing:
        size = held.copy_abs()
        wanted = ZERO if closing == size else portion(wanted, sub(size, closing), of=size, step=STEP)
    if not opening or not factor:
        return wanted
    share = portion(opening, factor, of=ONE, step=STEP)
    return add(wanted, share if quantity > 0 else neg(share))


def wanted_again(wanted: Decimal, held: Decimal, *, quantity: Decimal, factor: Decimal) -> Decimal:
    """The same of a trade that is taken back, or of a difference that is no trade: the follower is to hold the same
    part of what the master holds, as far as that tells."""
    after = add(held, quantity)
    if not held or (after and (after > 0) != (held > 0)):
        return wanted_after(wanted, held, quantity=quantity, factor=factor)
    return portion(wanted, after.copy_abs(), of=held.copy_abs(), step=STEP)


def in_lots(wanted: Decimal, lot: Decimal) -> Decimal:
    """The whole lots of it, towards zero; what division has left below a billionth is no part of a lot."""
    whole = _cut(wanted, lot)
    rest = sub(wanted, whole)
    if not rest or sub(lot, rest.copy_abs()) > _FINE:
        return whole
    return add(whole, lot if wanted > 0 else neg(lot))


def _cut(quantity: Decimal, lot: Decimal) -> Decimal:
    return rounded(quantity, lot, "ROUND_DOWN") if quantity else ZERO


def copied(held: Held, *, aim: Decimal, own: Decimal, owed: Decimal, lot: Decimal, side: int) -> Copied:
    """What a follower does on a side (1, -1) to come to `aim`, whole lots signed.

    What it holds, or will hold, too much of is closed. Of what it lacks no more is opened than `own`, the share of the
    trade that is copied, and what an earlier one was `owed`: what it has missed is not made up for. No more is ordered
    than leads to the aim if nothing on its way the other way fills; the rest is owed, and follows once it has.
    """
    change = sub(aim, held.expected)
    left = owed if is_towards(aim, owed) else ZERO
    if not change or (change > 0) != (side > 0):
        return Copied(side, owed=left)
    size, expected = change.copy_abs(), held.expected
    over = min(expected.copy_abs(), size) if expected and (expected > 0) != (side > 0) else ZERO
    due = left.copy_abs() if left and (left > 0) == (side > 0) else ZERO
    whole = add(over, min(sub(size, over), add(own, due)))
    sure = max(ZERO, sub(aim, held.least(side)) if side > 0 else sub(held.least(side), aim))
    now = _cut(min(whole, sure), lot)
    closable = held.closable(side) if held.quantity else ZERO
    close = _cut(min(now, closable), lot)
    rest = _cut(sub(whole, now), lot) if aim and (aim > 0) == (side > 0) else ZERO
    return Copied(side, close, sub(now, close), rest if side > 0 else neg(rest))


def is_towards(aim: Decimal, quantity: Decimal) -> bool:
    """Whether a signed quantity is of the side of what is aimed at, and neither is nothing."""
    return bool(aim and quantity) and (aim > 0) == (quantity > 0)


def side_to(held: Held, aim: Decimal) -> int:
    """The side of the orders that lead to `aim`."""
    return 1 if aim > held.expected else -1


def faults(link: CopyLink) -> list[FieldError]:
    """What makes no sense of a link by itself."""
    found = []
    if link.master_id == link.follower_id:
        found.append(FieldError("follower_id", "an account cannot copy itself"))
    for name, rule in link.symbols.items():
        if not (0 < rule.quantity <= _MOST and 0 < rule.price <= _MOST):
            found.append(FieldError(f"symbols.{name}", "expected numbers above 0, at most 1000"))
        if sum(other.instrument_id == rule.instrument_id for other in link.symbols.values()) > 1:
            found.append(FieldError(f"symbols.{name}", "expected an instrument that stands for no other symbol"))
    return found + term_faults(link.terms)


def term_faults(terms: CopyTerms) -> list[FieldError]:
    """What makes no sense of a link's terms."""
    found = []
    match terms.sizing:
        case Fixed(quantity) if not 0 < quantity <= 10**12:
            found.append(FieldError("terms.sizing.quantity", "expected a number above 0"))
        case Multiplier(factor) if not 0 < factor <= _MOST:
            found.append(FieldError("terms.sizing.factor", "expected a number above 0, at most 1000"))
        case ByVolatility(reference, window):
            if reference is not None and not 0.0 < reference <= 10.0:
                found.append(FieldError("terms.sizing.reference", "expected a volatility a year above 0, at most 10"))
            if not 20 <= window <= 1000:
                found.append(FieldError("terms.sizing.window", "expected 20 to 1000 days"))
    if not 0 < terms.risk <= _MOST:
        found.append(FieldError("terms.risk", "expected a number above 0, at most 1000"))
    if terms.max_slippage is not None and not 0 <= terms.max_slippage <= ONE:
        found.append(FieldError("terms.max_slippage", "expected a fraction from 0 to 1"))
    if not 0 < terms.max_age <= _LONGEST_AGE:
        found.append(FieldError("terms.max_age", "expected more than 0 seconds, at most a day"))
    return found
