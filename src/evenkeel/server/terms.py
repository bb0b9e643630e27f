"""The terms on which a simulated account's orders fill, as they are asked for and shown."""

from typing import Annotated

from msgspec import Meta, Struct

from evenkeel.domain.accounts import FillTerms, Marking
from evenkeel.domain.clock import SECOND

_MILLISECOND = SECOND // 1000
Latency = Annotated[int, Meta(ge=0, le=60_000, description="0 to 60000 milliseconds")]
Delay = Annotated[int, Meta(ge=0, le=86_400, description="0 to 86400 seconds")]
Spread = Annotated[float, Meta(ge=0, lt=1, description="a share of the price from 0, below 1, such as 0.0005")]
Ratio = Annotated[float, Meta(ge=0, le=10, description="0 to 10")]
Bps = Annotated[float, Meta(ge=0, le=10_000, description="0 to 10000 basis points")]
Part = Annotated[float, Meta(gt=0, le=1, description="a share above 0, to 1")]
QueueShare = Annotated[float, Meta(ge=0, le=1000, description="a share of a bar's volume from 0, such as 0.2")]


class TermsIn(Struct, forbid_unknown_fields=True):
    """On which terms orders fill at the simulated venue, on the live feed.

    `latency_ms` after it was sent an order arrives, on a market `delay_seconds` ahead of the one the account goes by.
    `spread` is a set share of the price, null: as quotes and bars say; `spread_share` of it is paid. `slippage_bps` and
    `impact` (square-root) move what takes liquidity. At most `participation` of a bar's volume fills; null: any. With
    `queue`, a resting limit that is only touched waits behind that share of the bar's volume. `marking`: what values
    positions. `margin`: the share of their value that they are estimated to tie up.
    """

    latency_ms: Latency = 0
    delay_seconds: Delay = 0
    spread: Spread | None = None
    spread_share: Ratio = 0.5
    slippage_bps: Bps = 0.0
    impact: Ratio = 0.0
    participation: Part | None = 0.10
    queue: QueueShare | None = None
    marking: Marking = Marking.TICK
    margin: Part = 1.0


class TermsOut(Struct):
    """See TermsIn."""

    latency_ms: float
    delay_seconds: float
    spread: float | None
    spread_share: float
    slippage_bps: float
    impact: float
    participation: float | None
    queue: float | None
    marking: Marking
    margin: float


def fill_terms(given: TermsIn | None) -> FillTerms | None:
    if given is None:
        return None
    return FillTerms(
        latency=given.latency_ms * _MILLISECOND,
        delay=given.delay_seconds * SECOND,
        spread=given.spread,
        spread_share=given.spread_share,
        slippage_bps=given.slippage_bps,
        impact=given.impact,
        participation=given.participation,
        queue=given.queue,
        marking=given.marking,
        margin=given.margin,
    )


def terms_out(this: FillTerms | None) -> TermsOut | None:
    if this is None:
        return None
    return TermsOut(
        latency_ms=this.latency / _MILLISECOND,
        delay_seconds=this.delay / SECOND,
        spread=this.spread,
        spread_share=this.spread_share,
        slippage_bps=this.slippage_bps,
        impact=this.impact,
        participation=this.participation,
        queue=this.queue,
        marking=this.marking,
        margin=this.margin,
    )
