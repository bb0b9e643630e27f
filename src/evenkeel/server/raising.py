"""Whether a change of rules allows more than before: then whoever asks has just signed in, or signs the request."""

from collections.abc import Mapping
from typing import Any

from evenkeel.domain.limits import RuleSet

_LESS_IS_MORE = frozenset({"min_diversification", "maintenance", "loss_pause", "reject_window"})
_MAY = frozenset({"allow_short"})
_MUST = frozenset({"cash_check", "exchange_hours"})
_NEITHER = frozenset({"rate"})


def difference(before: RuleSet, after: RuleSet) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What differs, as it was and as it is to be."""
    names = [name for name in after.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    return {name: getattr(before, name) for name in names}, {name: getattr(after, name) for name in names}


def raises(before: RuleSet, after: RuleSet) -> bool:
    """Whether any rule is turned off, or lets through what it did not."""
    was, new = difference(before, after)
    return any(_is_looser(name, was=was[name], new=new[name]) for name in new)


def _is_looser(name: str, *, was: Any, new: Any) -> bool:
    if name in _NEITHER:
        return False
    if name in _MAY:
        return bool(new)
    if name in _MUST:
        return not new
    if was is None or new is None:
        return new is None
    if isinstance(new, tuple):
        return not set(new) <= set(was) or not new
    return bool(new < was) if name in _LESS_IS_MORE else bool(new > was)
