"""What a rebalance or a schedule of them aims at, as the API takes it: weights by hand, or an objective to optimise."""

import asyncio
from decimal import Decimal

from evenkeel.desk.portfolios.asked import Asked
from evenkeel.desk.portfolios.weighing import check_aim, settled
from evenkeel.domain.errors import FieldError
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ZERO, total
from evenkeel.domain.rebalance_schedules import OPTIONS, Aim
from evenkeel.server import rebalancing as p
from evenkeel.server import wire
from evenkeel.server.api.taxes import read_yields
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.executing import read_execution
from evenkeel.server.scope import Tenant

SHORT_ACROSS = FieldError("across", "takes no weights below zero: what is sold short is sold in one account")
_NEVER_MORE = Decimal("1.000001")


async def read_asked(seen: Tenant, given: p.RebalanceIn, *, tolerance: Decimal) -> Asked:
    """A rebalance of a portfolio with that tolerance of risk. Raises InvalidInput with every fault."""
    fields = wire.Fields()
    buffer = fields.number("buffer", given.buffer, "share") or ZERO
    band = fields.number("band", given.band, "share") or ZERO
    least = fields.required("min_trade", given.min_trade, "not-negative")
    if buffer == 1:
        fields.fault("buffer", "below 1: with 1 nothing would be invested")
    execution = read_execution(given.execution, fields)
    yields = read_yields(seen, given.yields, fields, across=given.across)
    aim = read_aim(seen, given.targets, given.optimise, fields)
    if given.across and any(weight < 0 for weight in aim.weights.values()):
        fields.faults.append(SHORT_ACROSS)
    fields.check("the rebalance is not valid")
    await check(seen, aim, tolerance=tolerance)
    return Asked(aim, buffer, band, least, execution, given.across, yields)


def read_aim(seen: Tenant, targets: list[p.TargetIn], wish: p.WishIn | None, fields: wire.Fields) -> Aim:
    """Either weights or an objective; what makes no sense is a fault."""
    if bool(targets) is (wish is not None):
        fields.fault("targets", "give either targets or an objective to optimise")
    weights = _weights(seen, targets, fields)
    return Aim(weights=weights) if wish is None else read_wish(seen, wish, fields, at="optimise.")


async def check(seen: Tenant, aim: Aim, *, tolerance: Decimal | None, at: str = "optimise.") -> None:
    """Raises InvalidInput for an objective that makes no sense whatever the prices are; without a name it is by the
    `tolerance` of its portfolio, if any."""
    if aim.instrument_ids:
        symbols = [one.symbol for one in instruments_of(seen, aim)]
        await asyncio.to_thread(check_aim, settled(aim, tolerance=tolerance), symbols, at=at)


def instruments_of(seen: Tenant, aim: Aim) -> list[Instrument]:
    """The instruments of an objective, in its order."""
    return [seen.state.instruments[name] for name in aim.instrument_ids]


def read_wish(seen: Tenant, given: p.WishIn, fields: wire.Fields, *, at: str) -> Aim:
    """What an objective is asked to do; what makes no sense is a fault of a field named after `at`."""
    if len({one.upper() for one in given.symbols}) < len(given.symbols):
        fields.fault(f"{at}symbols", "each symbol once")
    if given.least > given.most:
        fields.fault(f"{at}least", "no more than `most`")
    ids = tuple(
        find_instrument(seen.state, one, None, fields=fields, field=f"{at}symbols.{place}")
        for place, one in enumerate(given.symbols)
    )
    return Aim(
        instrument_ids=ids,
        objective=given.objective or "",
        constraints=tuple(given.constraints),
        days=given.days,
        least=given.least,
        most=given.most,
        covariance=given.covariance,
        mean=given.mean,
        risk_free=given.risk_free,
        benchmark=_benchmark(seen, given, ids, fields, at=f"{at}benchmark"),
        **{name: getattr(given, name) for name in OPTIONS},
    )


def _benchmark(
    seen: Tenant, given: p.WishIn, ids: tuple[str, ...], fields: wire.Fields, *, at: str
) -> dict[str, float]:
    weights = _named(seen, given.benchmark, fields, at=at)
    for place, name in enumerate(weights):
        if name and name not in ids:
            fields.fault(f"{at}.{place}.symbol", "is none of `symbols`: what is tracked is tracked with them")
    return {name: float(weight) for name, weight in weights.items()}


def _weights(seen: Tenant, targets: list[p.TargetIn], fields: wire.Fields) -> dict[str, Decimal]:
    weights = _named(seen, targets, fields, at="targets")
    whole = total(list(weights.values()))
    if whole > _NEVER_MORE:
        fields.fault("targets", f"the weights add up to {whole}, which is more than 1")
    return weights


def _named(seen: Tenant, given: list[p.TargetIn], fields: wire.Fields, *, at: str) -> dict[str, Decimal]:
    """Weights by instrument id, from -1 to 1, each named once."""
    weights: dict[str, Decimal] = {}
    for place, one in enumerate(given):
        here = f"{at}.{place}"
        name = find_instrument(seen.state, one.symbol, one.venue, fields=fields, field=f"{here}.symbol")
        if name in weights and name:
            fields.fault(f"{here}.symbol", "each instrument once")
        weight = fields.required(f"{here}.weight", one.weight, "signed")
        if abs(weight) > 1:
            fields.fault(f"{here}.weight", "from -1 to 1: a share of the portfolio")
        weights[name] = weight
    return weights
