"""Mark-to-market rules of a backtest on the command line: the options of `evenkeel mtm set` as words."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evenkeel.domain.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.domain.mtm import MtmRules

_ACCOUNT = "account"
_OPTION = "--mtm"
_KEEPING = "keep-expiring"
Read = Callable[[str], Any]


def _whole(text: str) -> Any:
    """A number where it is one; what is not is named by whoever judges it."""
    return int(text) if text.isascii() and text.isdigit() else text


_WORDS: dict[str, tuple[str, Read]] = {
    **{word: (word.replace("-", "_"), str) for word in ("stop-loss", "target", "trail", "trail-from")},
    **{word: (word, str) for word in ("basis", "watch", "action", "carry")},
    **{word: (word.replace("-", "_"), str) for word in ("no-entries-after", "square-off-at")},
    **{word: (word.replace("-", "_"), _whole) for word in ("end-of-day", "carry-days")},
}
_SEVERAL: dict[str, tuple[str, Read]] = {"product": ("products", str.upper), "not-over": ("not_over", _whole)}
_LOCK_IN = "lock-in"
_KNOWN = (*_WORDS, *_SEVERAL, _LOCK_IN, _KEEPING)


def mtm_of(texts: Sequence[str] | None) -> "dict[str, MtmRules]":
    """The rules by level that the texts of `--mtm` name. Raises InvalidInput."""
    by_level: dict[str, dict[str, Any]] = {}
    for text in texts or ():
        level, words = _parted(text)
        rules = by_level.setdefault(level, {})
        for word in words:
            _take(rules, word)
    if not by_level:
        return {}
    from evenkeel.research.backtest.mtm import mtm_rules

    try:
        return {level: mtm_rules(**rules) for level, rules in by_level.items()}
    except InvalidInput as error:
        raise _refusal(error.message.replace("_", "-")) from error


def _parted(text: str) -> tuple[str, list[str]]:
    """The level, and the words of its rules."""
    words = text.split()
    if words and words[0].partition("=")[0] not in _KNOWN:
        level, *words = words
    else:
        level = _ACCOUNT
    if not words:
        raise _refusal(f'expected rules such as "stop-loss=2% trail=500", or "AAPL target=900", not {text!r}')
    return level, words


def _take(rules: dict[str, Any], word: str) -> None:
    """Adds the rule that a word names to those of its level."""
    name, _, value = word.partition("=")
    if name not in _KNOWN:
        raise _refusal(f"there is no rule {name!r}; expected one of {', '.join(_KNOWN)}")
    if bool(value) == (name == _KEEPING):
        raise _refusal(f"expected {name if name == _KEEPING else f'{name}=VALUE'}, not {word!r}")
    if name == _LOCK_IN:
        reached, found, floor = value.partition(":")
        steps = rules.setdefault("lock_in", {})
        if not found or reached in steps:
            raise _refusal(f"expected {name}=REACHED:FLOOR, such as 500:200, each mark once, not {word!r}")
        steps[reached] = floor
    elif name in _SEVERAL:
        field, read = _SEVERAL[name]
        rules.setdefault(field, []).append(read(value))
    else:
        field, said = ("expiry", False) if name == _KEEPING else (_WORDS[name][0], _WORDS[name][1](value))
        if field in rules:
            raise _refusal(f"{name} is given twice for one level")
        rules[field] = said


def _refusal(message: str) -> InvalidInput:
    return InvalidInput(f"{_OPTION}: {message}", errors=(FieldError(_OPTION, message),))
