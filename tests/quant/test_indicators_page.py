"""The page on indicators: it lists every function with its parameters, and how much each remembers."""

import re
from inspect import Parameter, Signature, isfunction, signature

from evenkeel.quant import indicators
from evenkeel.quant.indicators.streaming import STREAMS
from tests.services import ROOT

ROW = re.compile(r"^\| `((\w+)\(.*?\))` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TOLD = {name: (call, keeps) for call, name, _, keeps, _ in ROW.findall((ROOT / "docs" / "indicators.md").read_text())}
FUNCTIONS = [name for name in indicators.__all__ if isfunction(getattr(indicators, name))]


def call_of(name: str) -> str:
    found = signature(getattr(indicators, name))
    bare = [parameter.replace(annotation=Parameter.empty) for parameter in found.parameters.values()]
    return f"{name}{Signature(bare)}"


def test_every_function_is_listed_once_with_its_parameters() -> None:
    assert {name: call for name, (call, _) in TOLD.items()} == {name: call_of(name) for name in FUNCTIONS}


def test_what_each_keeps_is_so() -> None:
    for name, (_, keeps) in TOLD.items():
        if name in STREAMS:
            is_windowed = STREAMS[name][2].__qualname__.startswith("_windowed")
            assert keeps == ("window" if is_windowed else "steps"), name
        else:
            assert keeps == "–", name
    assert set(STREAMS) <= set(TOLD)
