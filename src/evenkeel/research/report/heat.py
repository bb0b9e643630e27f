"""A sweep as a heat map: one cell for each pair of values, coloured by what it gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.research.report.markup import safe
from evenkeel.research.report.scales import Floats
from evenkeel.research.report.words import counted, plain

if TYPE_CHECKING:
    import polars as pl

MOST = 200
_LEFT, _TOP, _WIDE, _HIGH, _BELOW, _TITLE = 64.0, 58.0, 640.0, 400.0, 74.0, 30.0
_LABELS = 14
_SHADES = 10
# Of one blue from pale to deep, and of orange for what lies below zero: told apart by lightness, too.
_STYLE = (
    ".ek-heat{--ink:#1a222c;--soft:#566373;--none:#e8ebee;--up:#0f6b86;--down:#b4540a;--page:#fff;"
    "font:12px ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;"
    "font-variant-numeric:tabular-nums;width:100%;height:auto}"
    "@media(prefers-color-scheme:dark){.ek-heat{--ink:#dde3ea;--soft:#93a0af;--none:#1d232c;--up:#4fb3cb;"
    "--down:#e39a5b;--page:#13171d}}"
    "@media print{.ek-heat{--ink:#1a222c;--soft:#566373;--none:#e8ebee;--up:#0f6b86;--down:#b4540a;--page:#fff}}"
    ".ek-heat text{fill:var(--soft)}.ek-heat .t{fill:var(--ink);font-size:15px;font-weight:600}"
    ".ek-heat .page{fill:var(--page)}.ek-heat .u{fill:var(--up)}.ek-heat .d{fill:var(--down)}"
    ".ek-heat .o{fill:var(--none)}.ek-heat .best{fill:none;stroke:var(--ink);stroke-width:2}"
)


Others = Literal["median", "max", "min"]


@dataclass(frozen=True, eq=False)
class HeatGrid:
    """The values of both parameters in order, and a matrix with a row for each of `ys`; NaN where nothing was run."""

    names: tuple[str, str, str]
    xs: list[Any]
    ys: list[Any]
    values: Floats
    wide: float = _WIDE
    high: float = _HIGH

    @property
    def size(self) -> tuple[float, float]:
        """Of a cell, in pixels."""
        return self.wide / len(self.xs), self.high / len(self.ys)


def sweep_heat_map(frame: pl.DataFrame, *, x: str, y: str, value: str, others: Others | None = None) -> str:
    """An SVG of `value` by the parameters in columns `x` and `y` of a sweep's frame, self-contained as the tear sheet.

    Above zero cells are blue, below orange, deeper the farther from zero; the highest has a frame, and each cell's
    title gives its figures. Raises InvalidInput as `heat_grid` does.
    """
    return heat_map(heat_grid(frame, x=x, y=y, value=value, others=others), title=f"{value} by {x} and {y}")


def heat_map(grid: HeatGrid, *, title: str = "") -> str:
    """The SVG of a grid, with a title of its own where there is one."""
    known = np.isfinite(grid.values)
    far = float(np.max(np.abs(grid.values[known]), initial=0.0)) or 1.0
    near = float(np.min(grid.values[known], initial=np.inf))
    base = near if np.isfinite(near) and near > 0 else 0.0
    depth = np.clip((np.abs(grid.values) - base) / (far - base or 1.0), 0.0, 1.0)
    cells = "".join(
        _cell(grid, row=row, column=column, depth=float(depth[row, column])) for row, column in np.ndindex(depth.shape)
    )
    top = 0.0 if title else _TITLE
    wide, high = _LEFT + grid.wide + 16, _TOP + grid.high + _BELOW - top
    named = f'<text class="t" x="{_LEFT:g}" y="30">{safe(title)}</text>' if title else ""
    return (
        f'<svg class="ek-heat" viewBox="0 {top:g} {wide:g} {high:g}" style="max-width:{wide:g}px" role="img" '
        f'aria-label="{safe(_told(grid, known))}"><style>{_STYLE}</style>'
        f'<rect class="page" y="{top:g}" width="100%" height="{high:g}" rx="10"/>{named}{cells}{_best(grid, known)}'
        f"{_axes(grid)}{_legend(grid, base=base, far=far)}</svg>"
    )


def heat_grid(frame: pl.DataFrame, *, x: str, y: str, value: str, others: Others | None = None) -> HeatGrid:
    """The values of a heat map. `others` says what a cell shows of several rows: their median, maximum or minimum.

    Raises InvalidInput for a missing column, values that are no numbers, more than `MOST` values of a parameter, or
    more than one row a cell where `others` is None.
    """
    missing = [name for name in (x, y, value) if name not in frame.columns]
    if missing:
        raise _refuse(missing[0], f"there is no such column; there are {', '.join(frame.columns)}")
    if x == y:
        raise _refuse("y", "expected another parameter than x")
    if value in (x, y):
        raise _refuse("value", "expected a figure, not one of the two parameters")
    if not frame[value].dtype.is_numeric():
        raise _refuse(value, f"expected numbers, not {frame[value].dtype}")
    if others is not None:
        frame = _folded(frame, x, y, value=value, others=others)
    axes = [sorted(frame[name].unique().drop_nulls().to_list()) for name in (x, y)]
    for name, found in zip((x, y), axes, strict=True):
        if not 1 <= len(found) <= MOST:
            raise _refuse(name, f"expected 1 to {MOST} values, not {len(found)}")
    if frame.select(x, y).is_duplicated().any():
        raise _refuse(value, f"several rows have the same {x} and {y}; choose one value of the other parameters")
    places = [{found: at for at, found in enumerate(axis)} for axis in axes]
    values = np.full((len(axes[1]), len(axes[0])), np.nan)
    for across, up, found in frame.select(x, y, value).drop_nulls([x, y]).iter_rows():
        values[places[1][up], places[0][across]] = np.nan if found is None else float(found)
    return HeatGrid((x, y, value), axes[0], axes[1], values)


def _folded(frame: pl.DataFrame, x: str, y: str, *, value: str, others: Others) -> pl.DataFrame:
    import polars as pl

    column = pl.col(value)
    folded = {"median": column.median(), "max": column.max(), "min": column.min()}
    return frame.group_by(x, y, maintain_order=True).agg(folded[others])


def _refuse(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field}: {message}", errors=(FieldError(field, message),))


def _cell(grid: HeatGrid, *, row: int, column: int, depth: float) -> str:
    found, (wide, high) = float(grid.values[row, column]), grid.size
    x, y = _LEFT + column * wide, _TOP + grid.high - (row + 1) * high
    gap = 0.5 if min(wide, high) > 4 else 0.0
    box = f'x="{x:.2f}" y="{y:.2f}" width="{wide - gap:.2f}" height="{high - gap:.2f}"'
    names = f"{grid.names[0]} {grid.xs[column]}, {grid.names[1]} {grid.ys[row]}"
    if not np.isfinite(found):
        return f'<rect class="o" {box}><title>{safe(names)}: nothing</title></rect>'
    side = "d" if found < 0 else "u"
    shade = f' opacity="{0.10 + 0.90 * depth:.2f}"'
    return f'<rect class="{side}" {box}{shade}><title>{safe(names)}: {plain(found)}</title></rect>'


def _best(grid: HeatGrid, known: Any) -> str:
    if not known.any():
        return ""
    row, column = np.unravel_index(int(np.nanargmax(grid.values)), grid.values.shape)
    wide, high = grid.size
    return (
        f'<rect class="best" x="{_LEFT + int(column) * wide:.2f}" y="{_TOP + grid.high - (int(row) + 1) * high:.2f}" '
        f'width="{wide:.2f}" height="{high:.2f}"/>'
    )


def _axes(grid: HeatGrid) -> str:
    wide, high = grid.size
    bottom, left = _TOP + grid.high, _LEFT - 8.0
    names = [_text(grid.xs[at], x=_LEFT + (at + 0.5) * wide, y=bottom + 16) for at in _every(len(grid.xs))]
    names += [_text(grid.ys[at], x=left, y=bottom - (at + 0.5) * high + 4, anchor="end") for at in _every(len(grid.ys))]
    return "".join(
        [
            *names,
            _text(grid.names[0], x=_LEFT + grid.wide / 2, y=bottom + 36),
            _text(grid.names[1], x=left, y=_TOP - 10, anchor="end"),
        ]
    )


def _text(said: object, *, x: float, y: float, anchor: str = "middle") -> str:
    return f'<text x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">{safe(said)}</text>'


def _every(count: int) -> range:
    return range(0, count, -(-count // _LABELS))


def _legend(grid: HeatGrid, *, base: float, far: float) -> str:
    """The colours from least to most, and which value has the frame."""
    known = grid.values[np.isfinite(grid.values)]
    if not len(known):
        return ""
    y, below = _TOP + grid.high + 54.0, bool((known < 0).any())
    shades = [-at / _SHADES for at in range(_SHADES, 0, -1)] if below else []
    shades += [at / _SHADES for at in range(1, _SHADES + 1)]
    start = _LEFT + 70.0
    boxes = [
        f'<rect class="{"d" if shade < 0 else "u"}" x="{start + place * 12:g}" y="{y:g}" width="11" height="10" '
        f'opacity="{0.1 + 0.9 * abs(shade):.2f}"/>'
        for place, shade in enumerate(shades)
    ]
    end = f"{_brief(far)} · framed: the highest, {_brief(float(known.max()))}"
    least = _text(_brief(-far if below else base), x=_LEFT, y=y + 9, anchor="start")
    return "".join([least, *boxes, _text(end, x=start + len(shades) * 12 + 10, y=y + 9, anchor="start")])


def _brief(value: float) -> str:
    """Three digits are enough for a colour."""
    return plain(float(f"{value:.3g}"))


def _told(grid: HeatGrid, known: Any) -> str:
    x, y, value = grid.names
    if not known.any():
        return f"Heat map of {value} by {x} and {y}, without a single value."
    row, column = np.unravel_index(int(np.nanargmax(grid.values)), grid.values.shape)
    best = float(grid.values[row, column])
    return (
        f"Heat map of {value} by {x} and {y}, {counted(int(known.sum()), 'cell')}: highest {plain(best)} at {x} "
        f"{grid.xs[int(column)]} and {y} {grid.ys[int(row)]}, lowest {plain(float(np.nanmin(grid.values)))}."
    )
