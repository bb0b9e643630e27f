"""Values that are never to be written down: credentials that have been opened in this process.

Whoever opens one says so here; log lines, and what adapters say of their failures, are rid of it before they go on.
What is shorter than four characters cannot be told from other text and is left alone.
"""

import base64
import re
import threading
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"
SHORTEST = 4
_lock = threading.Lock()
_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def keep_unspoken(*values: str) -> None:
    """From now on none of these is written, as it is, in an address, or in base64."""
    global _pattern  # noqa: PLW0603 - log lines of every thread are read against it
    with _lock:
        before = len(_known)
        for value in values:
            _known.update(form for form in _forms(value) if len(form) >= SHORTEST)
        if len(_known) != before:
            longest_first = sorted(_known, key=len, reverse=True)
            _pattern = re.compile("|".join(map(re.escape, longest_first)))


def without_secrets(text: str) -> str:
    """The text with every such value hidden."""
    return text if _pattern is None else _pattern.sub(HIDDEN, text)


def _forms(value: str) -> set[str]:
    data = value.encode()
    plain = {value, value.strip(), repr(value)[1:-1], quote(value), quote(value, safe=""), quote_plus(value)}
    coded = {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()}
    return plain | coded | {form.rstrip("=") for form in coded}
