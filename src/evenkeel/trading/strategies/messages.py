"""What crosses the boundary between the owner of accounts and strategy code: messages, in both directions."""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.commands import CancelOrder, SubmitComposite, SubmitOrder
from evenkeel.domain.fills import Fill
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.orders import Order
from evenkeel.domain.strategies import Deployment, Signal


class Holding(Struct, frozen=True):
    """What a deployment holds of one instrument in one account: signed quantity."""

    account_id: str
    instrument_id: str
    quantity: Decimal


class DeployRequest(Struct, frozen=True, omit_defaults=True):
    """Starts a deployment, or replaces the one of that id and clears its fault.

    `anchor_ts` (ns) is where a path-dependent strategy's history begins for good; None: with the first bar it
    is warmed with. `state` is what `StrategyHost.state` gave before. `at` is engine time. `instruments` are those
    whose calendar is known: one that is not named trades around the clock. `path_dependent` is what examining it
    has shown before; None: it is examined.
    """

    deployment: Deployment
    at: int = 0
    anchor_ts: int | None = None
    state: bytes | None = None
    holdings: tuple[Holding, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    path_dependent: bool | None = None


class HostFault(Struct, frozen=True):
    """A deployment whose strategy raised or was late. It is out until it is deployed again; no other is
    touched.
    """

    deployment_id: str
    reason: str


Output = Signal | SubmitOrder | SubmitComposite | CancelOrder | HostFault


class Origin(Struct, frozen=True):
    """Where a template is defined that is not built in: a class of a module, or of the file of that module."""

    module: str
    name: str
    path: str | None = None


class Request(Struct, frozen=True, tag_field="r"):
    """What a host is asked; each is answered by one `Answer`."""


class AskLookback(Request, frozen=True, tag="lookback"):
    """How many bars before the first one decided on hold the warm-up. `slot` numbers the deployment from now on."""

    slot: int
    deployment: Deployment
    origin: Origin | None = None


class Start(Request, frozen=True, tag="start"):
    slot: int
    request: DeployRequest
    origin: Origin | None = None


class LoadHistory(Request, frozen=True, tag="history"):
    """Bars of the past: the bytes of each of `market.columns.COLUMNS`, 8 a value, in the order of this machine."""

    deployment_id: str
    instrument_id: str
    timeframe: str
    columns: tuple[bytes, ...]


class Retire(Request, frozen=True, tag="retire"):
    deployment_id: str


class SliceCame(Struct, frozen=True, tag_field="n", tag="slice"):
    market: MarketSlice


class FillCame(Struct, frozen=True, tag_field="n", tag="fill"):
    fill: Fill


class OrderCame(Struct, frozen=True, tag_field="n", tag="order"):
    order: Order


class PositionStated(Struct, frozen=True, tag_field="n", tag="position"):
    deployment_id: str
    holding: Holding


News = SliceCame | FillCame | OrderCame | PositionStated


class Tell(Request, frozen=True, tag="tell"):
    """What has happened, in order."""

    news: tuple[News, ...]


AnyRequest = AskLookback | Start | LoadHistory | Retire | Tell


class Answer(Struct, frozen=True):
    """What the strategies want, in order. `states` are those that have changed since they were told last.

    `lookback` answers what asks for it, `path_dependent` a start.
    """

    outputs: tuple[Output, ...] = ()
    states: dict[str, bytes | None] = {}
    lookback: int = 0
    path_dependent: bool | None = None
