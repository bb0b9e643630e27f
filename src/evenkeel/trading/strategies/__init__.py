"""Strategies: their two forms, the templates there are, the checks they pass, and the host that runs them."""

from evenkeel.trading.strategies.base import PanelStrategy, SignalStrategy, Strategy
from evenkeel.trading.strategies.context import Context
from evenkeel.trading.strategies.host import StrategyHost
from evenkeel.trading.strategies.messages import DeployRequest, Holding, HostFault, Output
from evenkeel.trading.strategies.parameters import Parameter, ParameterType, Params, flag, number, whole
from evenkeel.trading.strategies.registry import Registry, TemplateInfo, load_template
from evenkeel.trading.strategies.report import CheckReport, check_strategy

__all__ = [
    "CheckReport",
    "Context",
    "DeployRequest",
    "Holding",
    "HostFault",
    "Output",
    "PanelStrategy",
    "Parameter",
    "ParameterType",
    "Params",
    "Registry",
    "SignalStrategy",
    "Strategy",
    "StrategyHost",
    "TemplateInfo",
    "check_strategy",
    "flag",
    "load_template",
    "number",
    "whole",
]
