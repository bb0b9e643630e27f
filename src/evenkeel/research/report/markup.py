"""Pieces of HTML as text. What comes from outside goes through `safe`; nothing else makes it into a page."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape


def safe(text: object) -> str:
    """Text for an element or a quoted attribute."""
    return escape(str(text), quote=True)


def section(anchor: str, title: str, *parts: str, lead: str = "") -> str:
    """A part of the page under its heading; `lead` says in a sentence what it shows. Parts are markup."""
    said = f'<p class="lead">{safe(lead)}</p>' if lead else ""
    return f'<section id="{anchor}"><h2>{safe(title)}</h2>{said}{"".join(parts)}</section>'


def paragraph(text: str, css: str = "") -> str:
    return f'<p class="{css}">{safe(text)}</p>' if css else f"<p>{safe(text)}</p>"


def facts(pairs: Mapping[str, str], css: str = "facts") -> str:
    """A list of names with what they are; values are markup."""
    rows = "".join(f"<div><dt>{safe(name)}</dt><dd>{value}</dd></div>" for name, value in pairs.items())
    return f'<dl class="{css}">{rows}</dl>'


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, words: int = 1, total: bool = False
) -> str:
    """A table of texts. The first `words` columns are words, the rest figures; `total` sets off the last row."""
    head = "".join(f'<th scope="col"{_kind(at, words)}>{safe(name)}</th>' for at, name in enumerate(heads))
    lines = [
        f'<tr><th scope="row">{safe(first)}</th>'
        + "".join(f"<td{_kind(at, words)}>{safe(cell)}</td>" for at, cell in enumerate(cells, start=1))
        + "</tr>"
        for first, *cells in rows
    ]
    if total:
        lines[-1] = lines[-1].replace("<tr>", '<tr class="total">', 1)
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll"><table><caption>{safe(caption)}</caption>{body}</table></div>'


def _kind(column: int, words: int) -> str:
    return ' class="n"' if column >= words else ""


def key(css: str, name: str) -> str:
    """An entry of a legend; `css` is the class of what it explains."""
    return f'<span class="key {css}"><i></i>{safe(name)}</span>'


def figure(title: str, body: str, *, keys: Iterable[str] = (), note: str = "") -> str:
    """A chart or table of its own with title, legend and the words below it. Body and keys are markup."""
    legend = "".join(keys)
    shown = f'<div class="keys">{legend}</div>' if legend else ""
    below = f'<p class="note">{safe(note)}</p>' if note else ""
    return f"<figure><figcaption><h3>{safe(title)}</h3>{shown}</figcaption>{body}{below}</figure>"


def side_by_side(*parts: str) -> str:
    return f'<div class="pair">{"".join(parts)}</div>'
