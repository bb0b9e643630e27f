"""Whether a strategy can trade what it is put to: so many instruments, in bars of a timeframe."""

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.trading.strategies.base import PanelStrategy, Template
from evenkeel.trading.strategies.evaluate import lookback_of
from evenkeel.trading.strategies.parameters import Params


def misfits(strategy: Template, params: Params, *, instruments: int, timeframe: str) -> tuple[FieldError, ...]:
    """Where it takes another number of instruments, or reads timeframes that are no higher."""
    faults = []
    if isinstance(strategy, PanelStrategy):
        least, most = strategy.instruments(params)
        if instruments < least or (most is not None and instruments > most):
            message = f"with these parameters it trades {_number(least, most)}, not {instruments}"
            faults.append(FieldError("instruments", message))
    try:
        lookback_of(strategy, params, timeframe)
    except InvalidInput as error:
        faults.append(FieldError("timeframe", error.message))
    return tuple(faults)


def check_fit(strategy: Template, params: Params, *, instruments: int, timeframe: str) -> None:
    """Raises InvalidInput with all misfits by field."""
    faults = misfits(strategy, params, instruments=instruments, timeframe=timeframe)
    if faults:
        said = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        raise InvalidInput(f"{strategy.name} cannot trade these: {said}", errors=faults)


def _number(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    return str(least) if least == most else f"{least} to {most}"
