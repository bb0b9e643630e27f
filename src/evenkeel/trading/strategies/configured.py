"""Configurations against the templates they are of: checked when they are saved, put to use by their names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from evenkeel.domain.configurations import Configuration, ConfiguredMember, Range, Saved, check_name
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.sizing import Sizing, checked
from evenkeel.domain.strategies import Scalar
from evenkeel.trading.strategies.members import text_of
from evenkeel.trading.strategies.parameters import Parameter, ParameterType
from evenkeel.trading.strategies.registry import TemplateInfo

MEMBERS = "members"
_NUMBERS = (ParameterType.INT, ParameterType.FLOAT)


class Templates(Protocol):
    """The code there is: a registry."""

    def has(self, name: str) -> bool: ...

    def info(self, name: str) -> TemplateInfo:
        """Raises NotFound."""

    def resolve(self, name: str, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Raises NotFound, InvalidInput."""


class Chosen(Struct, frozen=True):
    """What a name stands for: code, its parameters in full, the size that goes with it, and where it came from."""

    template: str
    version: str
    parameters: dict[str, Scalar]
    size: Sizing | None = None
    configuration: str | None = None


def choose(templates: Templates, name: str, values: Mapping[str, Scalar], *, saved: Saved | None = None) -> Chosen:
    """The template `name`, or what was `saved`, with parameters of which `values` are given now.

    Raises NotFound, and InvalidInput for values that the template, or the configuration's ranges, do not have.
    """
    if saved is None:
        info = templates.info(name)
        return Chosen(info.name, info.version, dict(templates.resolve(info.name, values)))
    held = saved.configuration
    faults = [*_outside(held.ranges, values)]
    if faults:
        raise InvalidInput(f"{saved.reference} was saved with other ranges", errors=tuple(faults))
    info = templates.info(held.template)
    parameters = templates.resolve(info.name, held.parameters | dict(values))
    return Chosen(info.name, info.version, dict(parameters), held.size, saved.reference)


def _outside(ranges: Mapping[str, Range], values: Mapping[str, Scalar]) -> Iterable[FieldError]:
    for name, value in values.items():
        allowed = ranges.get(name)
        if allowed is None:
            continue
        if isinstance(value, bool | str) or not allowed.minimum <= value <= allowed.maximum:
            said = f"expected a number from {allowed.minimum:g} to {allowed.maximum:g}, not {value!r}"
            yield FieldError(f"parameters.{name}", said)


def info_of(saved: Saved, templates: Templates) -> TemplateInfo:
    """A configuration as a template is listed: with its own defaults and ranges. Raises NotFound."""
    held, info = saved.configuration, templates.info(saved.configuration.template)
    parameters = tuple(_narrowed(one, held) for one in info.parameters)
    description = held.description or f"{info.title}, with parameters of its own."
    return TemplateInfo(saved.name, str(saved.version), saved.name, description, info.form, parameters, "saved")


def _narrowed(parameter: Parameter, held: Configuration) -> Parameter:
    changes: dict[str, object] = {"default": held.parameters.get(parameter.name, parameter.default)}
    allowed = held.ranges.get(parameter.name)
    if allowed is not None:
        changes |= {"minimum": allowed.minimum, "maximum": allowed.maximum}
    return msgspec.structs.replace(parameter, **changes)


def settled(name: str, given: Configuration, templates: Templates, *, saved: Mapping[str, Saved]) -> Configuration:
    """The configuration as it is to be saved under `name`: all parameters in full, members resolved.

    `saved` are the configurations that its members name, by reference. Raises InvalidInput with every fault by field,
    Conflict where the name is that of a template.
    """
    check_name(name)
    if templates.has(name):
        raise Conflict(f"{name} is the name of a template", hint="Choose another name.")
    try:
        info = templates.info(given.template)
    except NotFound as error:
        fault = FieldError("template", f"{error.message}. {error.hint or ''}".strip())
        raise InvalidInput("the configuration is not valid", errors=(fault,)) from error
    faults: list[FieldError] = []
    members = _members(given, info, templates, saved=saved, faults=faults)
    values = given.parameters | ({MEMBERS: _text(members)} if members else {})
    parameters: dict[str, Scalar] = {}
    if not faults:
        try:
            parameters = dict(templates.resolve(info.name, values))
        except InvalidInput as error:
            faults += _of_members(error.errors, is_listed=bool(members))
    faults += _range_faults(given.ranges, info.parameters, parameters)
    faults += _size_faults(given.size)
    if faults:
        raise InvalidInput("the configuration is not valid", errors=tuple(faults))
    return msgspec.structs.replace(given, template=info.name, parameters=parameters, members=members)


def _text(members: Sequence[ConfiguredMember]) -> str:
    return text_of((one.template, one.parameters, one.weight) for one in members)


def _members(
    given: Configuration,
    info: TemplateInfo,
    templates: Templates,
    *,
    saved: Mapping[str, Saved],
    faults: list[FieldError],
) -> tuple[ConfiguredMember, ...]:
    """Those of an ensemble with what they stand for; what is wrong with them goes to `faults`."""
    if not given.members:
        return ()
    if MEMBERS not in {one.name for one in info.parameters}:
        faults.append(FieldError(MEMBERS, f"{info.name} has none; an ensemble has"))
    if MEMBERS in given.parameters:
        faults.append(FieldError(f"parameters.{MEMBERS}", f"give either this or {MEMBERS}"))
    found = []
    for place, one in enumerate(given.members):
        try:
            chosen = choose(templates, one.template, one.parameters, saved=saved.get(one.template))
            found.append(ConfiguredMember(chosen.template, chosen.parameters, one.weight, chosen.configuration))
        except NotFound as error:
            faults.append(FieldError(f"{MEMBERS}.{place}.template", f"{error.message}. {error.hint or ''}".strip()))
        except InvalidInput as error:
            where = f"{MEMBERS}.{place}"
            faults += [FieldError(f"{where}.{fault.field}", fault.message) for fault in error.errors]
        if not 0.0 < one.weight < float("inf"):
            faults.append(FieldError(f"{MEMBERS}.{place}.weight", "expected a number above 0"))
    return tuple(found)


def _of_members(faults: Iterable[FieldError], *, is_listed: bool) -> list[FieldError]:
    """What is wrong with the text of members is told of the list that it was made of."""
    field = f"parameters.{MEMBERS}"
    return [FieldError(MEMBERS, one.message) if is_listed and one.field == field else one for one in faults]


def _range_faults(
    ranges: Mapping[str, Range], declared: Sequence[Parameter], values: Mapping[str, Scalar]
) -> Iterable[FieldError]:
    known = {one.name: one for one in declared if one.type in _NUMBERS}
    for name, asked in ranges.items():
        parameter = known.get(name)
        if parameter is None:
            yield FieldError(f"ranges.{name}", f"expected one of {', '.join(known) or 'none'}")
            continue
        try:
            parameter.read(asked.minimum)
            parameter.read(asked.maximum)
        except ValueError as error:
            yield FieldError(f"ranges.{name}", str(error))
            continue
        if asked.minimum > asked.maximum:
            yield FieldError(f"ranges.{name}", "expected a minimum that is not above the maximum")
        if asked.step is not None and not 0.0 < asked.step < float("inf"):
            yield FieldError(f"ranges.{name}.step", "expected a number above 0")
        yield from _outside({name: asked}, {name: values[name]} if name in values else {})


def _size_faults(size: Sizing | None) -> Iterable[FieldError]:
    try:
        if size is not None:
            checked(size)
    except InvalidInput as error:
        yield from error.errors
