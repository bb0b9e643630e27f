"""Templates by name or alias: those built in, those of installed packages, and those in a user's own file.

A template is examined before it may run: one that looks ahead is refused.
"""

import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from inspect import getdoc, signature
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

from msgspec import Struct

from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.strategies import Scalar
from evenkeel.trading.strategies.base import PanelStrategy, SignalStrategy, Strategy, TargetStrategy
from evenkeel.trading.strategies.bollinger import BollingerReversion
from evenkeel.trading.strategies.buy_and_hold import BuyAndHold
from evenkeel.trading.strategies.checks import Examination, examine
from evenkeel.trading.strategies.cross_sectional_momentum import CrossSectionalMomentum
from evenkeel.trading.strategies.donchian_breakout import DonchianBreakout
from evenkeel.trading.strategies.ema_crossover import EmaCrossover
from evenkeel.trading.strategies.ensemble import Ensemble
from evenkeel.trading.strategies.macd import MacdTrend
from evenkeel.trading.strategies.mean_reversion import MeanReversion
from evenkeel.trading.strategies.momentum import Momentum
from evenkeel.trading.strategies.obv import ObvTrend
from evenkeel.trading.strategies.pairs import Pairs
from evenkeel.trading.strategies.panel_ensemble import PanelEnsemble
from evenkeel.trading.strategies.parameters import Parameter, Params, refusal, resolve
from evenkeel.trading.strategies.rebalanced_weights import RebalancedWeights
from evenkeel.trading.strategies.rsi import RsiReversion
from evenkeel.trading.strategies.sma_crossover import SmaCrossover
from evenkeel.trading.strategies.stochastic import StochasticReversion
from evenkeel.trading.strategies.supertrend import SupertrendFollower
from evenkeel.trading.strategies.support_resistance import SupportResistance
from evenkeel.trading.strategies.trend_filter import TrendFilter
from evenkeel.trading.strategies.volatility_breakout import VolatilityBreakout
from evenkeel.trading.strategies.vwap_reversion import VwapReversion

ENTRY_POINTS = "evenkeel.strategies"
FOLDER = "strategies"  # of a home
BUILT_IN: tuple[type[SignalStrategy], ...] = (
    SmaCrossover,
    EmaCrossover,
    MacdTrend,
    Momentum,
    SupertrendFollower,
    DonchianBreakout,
    VolatilityBreakout,
    ObvTrend,
    RsiReversion,
    StochasticReversion,
    BollingerReversion,
    MeanReversion,
    VwapReversion,
    SupportResistance,
    BuyAndHold,
    TrendFilter,
    Ensemble,
)
PANELS: tuple[type[PanelStrategy], ...] = (Pairs, CrossSectionalMomentum, RebalancedWeights, PanelEnsemble)

AnyStrategy = SignalStrategy | PanelStrategy | Strategy
AnyTemplate = type[SignalStrategy] | type[PanelStrategy] | type[Strategy]


class TemplateInfo(Struct, frozen=True):
    """A template as it is listed. `form` is signal, panel or event; `source` says where it came from."""

    name: str
    version: str
    title: str
    description: str
    form: str
    parameters: tuple[Parameter, ...]
    source: str
    aliases: tuple[str, ...] = ()


class Registry:
    """The templates one process knows. The built-in ones are there from the start."""

    def __init__(self, templates: Iterable[AnyTemplate] = (*BUILT_IN, *PANELS)) -> None:
        self._templates: dict[str, tuple[AnyTemplate, str]] = {t.name: (t, "built-in") for t in templates}
        self._examined: dict[tuple[str, tuple[tuple[str, Scalar], ...]], Examination] = {}
        self._faults: list[str] = []

    def register(self, template: AnyTemplate, source: str) -> TemplateInfo:
        """Adds a template after examining it with its default parameters.

        Raises InvalidInput when it is malformed or looks ahead, Conflict when its name or an alias is taken by
        another.
        """
        check_declaration(template)
        known = self._templates.get(template.name)
        if known is not None and known[1] != source:
            raise Conflict(
                f"a strategy named {template.name!r} is already registered ({known[1]})",
                hint="Give it another `name`.",
            )
        for word in (template.name, *template.aliases):
            owner = self._name(word)
            if owner in self._templates and owner != template.name:
                raise Conflict(
                    f"{template.name} cannot be found by {word!r}: that leads to {owner} ({self._templates[owner][1]})",
                    hint="Give it another `name`, or leave that one out of its `aliases`.",
                )
        self._templates[template.name] = (template, source)
        self._examined = {key: found for key, found in self._examined.items() if key[0] != template.name}
        try:
            self.examine(template.name, self.resolve(template.name, {}))
        except Exception:
            self._restore(template.name, known)
            raise
        return self.info(template.name)

    def add(self, template: AnyTemplate, source: str) -> None:
        """Adds a template that another process has registered, and so examined."""
        self._templates.setdefault(template.name, (template, source))

    def load(self, path: Path, class_name: str | None = None) -> TemplateInfo:
        """Registers the template in a file. Raises as `load_template` and `register` do."""
        return self.register(load_template(path, class_name), str(path))

    def load_folder(self, folder: Path) -> tuple[str, ...]:
        """Registers the template of each Python file in a folder, but for those whose names begin with _.

        A broken one is left out and its fault returned, in words; whoever looks for a template that is not there is
        told of it, too.
        """
        faults = []
        for path in sorted(folder.glob("[!_]*.py")):
            try:
                self.load(path)
            except Exception as error:  # noqa: BLE001 - a broken file must not keep the desk from starting
                faults.append(f"{path.name}: {str(error).removeprefix(f'{path} ').replace(str(path), path.name)}")
        self._faults += faults
        return tuple(faults)

    def load_entry_points(self) -> tuple[str, ...]:
        """Registers what installed packages offer; a broken one is left out and its fault returned, in words."""
        faults = []
        for point in entry_points(group=ENTRY_POINTS):
            try:
                self.register(point.load(), f"package {point.dist.name if point.dist else point.value}")
            except Exception as error:  # noqa: BLE001 - a broken package must not keep the desk from starting
                faults.append(f"strategy {point.name} of {point.value}: {error}")
        return tuple(faults)

    def names(self) -> tuple[str, ...]:
        return tuple(self._templates)

    def infos(self) -> tuple[TemplateInfo, ...]:
        return tuple(self.info(name) for name in self._templates)

    def info(self, name: str) -> TemplateInfo:
        """Raises NotFound."""
        template, source = self._find(name)
        return TemplateInfo(
            template.name,
            template.version,
            template.title or template.name,
            template.description,
            template.form,
            template.parameters,
            source,
            template.aliases,
        )

    def has(self, name: str) -> bool:
        """Whether there is a template of that name or alias."""
        return self._name(name) in self._templates

    def template(self, name: str) -> AnyTemplate:
        """The class. Raises NotFound."""
        return self._find(name)[0]

    def create(self, name: str) -> AnyStrategy:
        """A new instance. Raises NotFound."""
        return self._find(name)[0]()

    def resolve(self, name: str, values: Mapping[str, Scalar]) -> Params:
        """All parameters, given or default, checked singly and together. Raises NotFound, InvalidInput."""
        strategy = self.create(name)
        return checked(strategy, values)

    def examine(self, name: str, params: Params) -> Examination:
        """What the checks say of it on seeded bars; remembered. Raises NotFound, InvalidInput if it may not
        run.
        """
        name = self._name(name)
        key = (name, tuple(sorted(params.items())))
        found = self._examined.get(key)
        if found is None:
            strategy = self.create(name)
            if isinstance(strategy, Strategy):
                found = Examination(strategy.warmup(params), None, None, None, None, 0)
            else:
                of_targets: TargetStrategy[Any] = strategy
                found = examine(of_targets, params)
            self._examined[key] = found
        if found.faults:
            raise InvalidInput(
                f"strategy {name} may not run: {'; '.join(found.faults)}",
                hint="Run `evenkeel strategy check` on it; the target of a bar may use that bar and earlier ones only.",
            )
        return found

    def _find(self, name: str) -> tuple[AnyTemplate, str]:
        try:
            return self._templates[self._name(name)]
        except KeyError:
            broken = "".join(f" A file could not be loaded: {fault}." for fault in self._faults)
            raise NotFound(
                f"there is no strategy template {name!r}", hint=f"Choose one of {', '.join(self._templates)}.{broken}"
            ) from None

    def _name(self, word: str) -> str:
        """The name that `word`, a name or an alias, stands for; `word` itself where there is none."""
        if word in self._templates:
            return word
        return next((name for name, (found, _) in self._templates.items() if word in found.aliases), word)

    def _restore(self, name: str, known: tuple[AnyTemplate, str] | None) -> None:
        if known is None:
            del self._templates[name]
        else:
            self._templates[name] = known


def checked(strategy: AnyStrategy, values: Mapping[str, Scalar]) -> Params:
    """The strategy's parameters, given or default. Raises InvalidInput with all faults by field."""
    params = resolve(strategy.parameters, values)
    faults = strategy.check(params)
    if faults:
        raise refusal(faults)
    return params


def check_declaration(template: AnyTemplate) -> None:
    """Raises InvalidInput where a class lacks what a template must declare."""
    faults = []
    if not template.name:
        faults.append(FieldError("name", "expected a name, such as name = 'my-strategy'"))
    faults += [FieldError(name, _missing(template, name)) for name in sorted(template.__abstractmethods__)]
    if template.name in template.aliases or not all(template.aliases):
        faults.append(FieldError("aliases", "expected other names than its own, such as aliases = ('my-short',)"))
    names = [parameter.name for parameter in template.parameters]
    faults += [
        FieldError(f"parameters.{n}", "declared twice") for n in sorted({n for n in names if names.count(n) > 1})
    ]
    if faults:
        said = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        raise InvalidInput(f"{template.__name__} is not a strategy template: {said}", errors=tuple(faults))


def _missing(template: AnyTemplate, name: str) -> str:
    """What to say of a method that a class must have, as its base tells what it is for."""
    method = getattr(template, name)
    asked = ", ".join(list(signature(method).parameters)[1:])
    said = (getdoc(method) or "").partition("\n\n")[0].replace("\n", " ")
    return f"missing; write {name}({asked}): {said[:1].lower()}{said[1:]}".rstrip(":. ")


def load_template(path: Path, class_name: str | None = None) -> AnyTemplate:
    """The one strategy class defined in a Python file, or the one of that name.

    Runs the file. Raises InvalidInput when it cannot be read or run, or does not define exactly one.
    """
    if not path.is_file():
        raise InvalidInput(f"there is no strategy file {path}", hint="Give the path of a Python file.")
    module = _run(path)
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, SignalStrategy | PanelStrategy | Strategy)
        and value.__module__ == module.__name__
    }
    if class_name is not None:
        found = {name: value for name, value in found.items() if name == class_name}
    if len(found) != 1:
        listed = ", ".join(found) or "none"
        wanted = f"a strategy class {class_name}" if class_name else "exactly one strategy class"
        raise InvalidInput(
            f"{path} should define {wanted}; it defines {listed}",
            hint="A strategy is a class derived from SignalStrategy, PanelStrategy or Strategy.",
        )
    return next(iter(found.values()))


def _run(path: Path) -> ModuleType:
    name = f"evenkeel_strategy_{path.stem}_{crc32(str(path.resolve()).encode()):08x}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path} is not a Python file", hint="Its name must end in .py.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise InvalidInput(f"{path} line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise InvalidInput(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module
