"""The splits and dividends that go with the bars of a command."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evenkeel.cli.common import resolve_home
from evenkeel.domain.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.market.bars import Bars
    from evenkeel.research.backtest.options import Options


def adjustments_of(given: Mapping[str, Any], bars: "Mapping[str, Bars]") -> "Options":
    """Those of the home's store where the bars come from it, else those of the file that --adjustments names.

    Raises InvalidInput, and DataRefused for a file that does not read.
    """
    from evenkeel.cli.data import the_store
    from evenkeel.market.adjustments import read_adjustments

    listed = [one.instrument for one in bars.values() if one.instrument is not None]
    file = given["adjustments"]
    if given["data"]:
        if file is None:
            return {}
        found = read_adjustments(file, None, lambda symbol, _: tuple(one for one in listed if one.symbol == symbol))
        return {
            "splits": [split for one in found.values() for split in one.splits],
            "dividends": [paid for one in found.values() for paid in one.dividends],
        }
    if file is not None:
        message = "goes with --data; stored bars have those that were imported with them"
        raise InvalidInput(f"--adjustments {message}", errors=(FieldError("--adjustments", message),))
    store = the_store(resolve_home(given["home"]))
    return {
        "splits": [split for one in listed for split in store.splits(one.id)],
        "dividends": [paid for one in listed for paid in store.dividends(one.id)],
    }
