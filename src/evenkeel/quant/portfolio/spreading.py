"""One set of weights over several accounts: which of them sells, and which of them buys, so that the least tax is paid.

Of each instrument it is known whether the accounts together are to hold more or less of it; it is only bought, or only
sold, so that no account buys what another sells. Money stays in its account. What is least is

    Σ tax(sold) + Σ drag · held after,

once the weights are reached as nearly as the money allows. It is a linear programme over the lots of each account;
where an account's method does not take the cheapest lots first, which lots have been used up is an integer choice.
HiGHS (in SciPy) solves it, exactly unless time runs out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from evenkeel.quant.analytics.series import Floats

SECONDS = 2.0
_MOST_LOTS = 60
_NEARLY = 1e-6


@dataclass(frozen=True)
class Tranche:
    """What can be sold of a holding before the next tranche: its `value`, and the `tax` on each unit of money of it;
    below zero where it is a loss that is worth something."""

    value: float
    tax: float


@dataclass(frozen=True)
class Task:
    """Accounts (rows) and instruments (columns). `held` is what each holds, `wanted` (n,) what all are to hold
    together, `may` where an instrument can be traded. `lots` are the tranches of a holding in the order in which they
    are sold; where there are none, it is sold free of tax.

    `cash` (a,) may be spent, and `free` (a,) is what has to be there for purchases with `slack` more than they cost;
    where either is below zero, it has to be sold first.
    `drag` is what holding one unit of money there for a year is expected to cost in tax.
    """

    held: Floats
    wanted: Floats
    may: npt.NDArray[np.bool_]
    cash: Floats
    free: Floats
    lots: dict[tuple[int, int], Sequence[Tranche]] = field(default_factory=dict)
    drag: Floats | None = None
    slack: float = 0.0


@dataclass(frozen=True)
class Spread:
    """What each account is to hold of each instrument, (a, n), the tax on what is sold, and how far the accounts
    together stay off what is wanted."""

    after: Floats
    tax: float
    off: float


@dataclass(frozen=True)
class _Move:
    """One variable: money that goes into a holding (`sign` 1) or out of a tranche of it (-1)."""

    account: int
    instrument: int
    sign: int
    most: float
    cost: float
    tax: float = 0.0


def spread(task: Task, *, seconds: float = SECONDS) -> Spread:
    """The holdings of least tax, after one year's drag. A sale of nothing and a purchase of nothing are always among
    the choices, so that there is one for every task; where time runs out, the best that was found, or lots as if each
    account took its cheapest first.
    """
    scale = max(float(np.abs(task.held).sum()), float(np.abs(task.wanted).sum()), float(task.cash.sum()), 1e-9)
    moves, chains = _moves(task)
    amounts = _solved(task, moves, chains, scale=scale, seconds=seconds)
    after, tax = task.held.astype(np.float64), 0.0
    for move, amount in zip(moves, amounts.tolist(), strict=True):
        after[move.account, move.instrument] += move.sign * amount
        tax += move.tax * amount
    after = np.where(np.abs(after - task.held) <= _NEARLY * scale, task.held, after)
    after = np.where(np.abs(after) <= _NEARLY * scale, 0.0, after)
    return Spread(after, tax, float(np.abs(after.sum(axis=0) - task.wanted).sum()))


def _moves(task: Task) -> tuple[list[_Move], list[list[int]]]:
    """The variables, and the chains of them that have to be used up one after another."""
    moves, chains = list[_Move](), list[list[int]]()
    short = task.wanted - task.held.sum(axis=0)
    for account, instrument in np.argwhere(task.may).tolist():
        drag = 0.0 if task.drag is None else float(task.drag[account, instrument])
        held = float(task.held[account, instrument])
        if short[instrument] > 0.0:
            moves.append(_Move(account, instrument, 1, float(short[instrument]), drag))
        elif short[instrument] < 0.0 and held > 0.0:
            lots = _few(task.lots.get((account, instrument)) or (Tranche(held, 0.0),))
            if any(later.tax < one.tax for one, later in pairwise(lots)):
                chains.append(list(range(len(moves), len(moves) + len(lots))))
            moves += [_Move(account, instrument, -1, one.value, one.tax - drag, one.tax) for one in lots]
    return moves, chains


def _few(lots: Sequence[Tranche]) -> list[Tranche]:
    """Not more tranches than can be chosen among in time: neighbours taken together."""
    together = -(-len(lots) // _MOST_LOTS)
    parts = [lots[place : place + together] for place in range(0, len(lots), together)]
    return [
        Tranche(whole, sum(one.value * one.tax for one in part) / whole)
        for part in parts
        if (whole := sum(one.value for one in part)) > 0.0
    ]


def _solved(task: Task, moves: list[_Move], chains: list[list[int]], *, scale: float, seconds: float) -> Floats:
    """The money moved by each variable (m,)."""
    if not moves:
        return np.zeros(0)
    found = _programme(task, moves, chains, scale=scale, seconds=seconds)
    if found is None and chains:
        found = _programme(task, moves, [], scale=scale, seconds=seconds)
    return np.zeros(len(moves)) if found is None else found


def _programme(
    task: Task, moves: list[_Move], chains: list[list[int]], *, scale: float, seconds: float
) -> Floats | None:
    """Variables: moves (m,), how far each instrument stays below and above (2n,), which links of chains are used up,
    and which accounts that lack money buy at all; all money in shares of the scale."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csc_matrix

    short = np.flatnonzero(np.minimum(task.cash, task.free) < 0.0).tolist()
    links = sum(len(chain) - 1 for chain in chains)
    plain = len(moves) + 2 * len(task.wanted)
    size = plain + links + len(short)
    dear = 10.0 * (1.0 + max(abs(move.cost) for move in moves))
    cost = np.concatenate(([move.cost for move in moves], np.full(plain - len(moves), dear), np.zeros(size - plain)))
    most = np.array([move.most / scale for move in moves])
    lacking = {account: plain + links + place for place, account in enumerate(short)}
    exact, wanted = _weights(task, moves, size=size, scale=scale)
    spent, room = _money(task, moves, lacking, size=size, scale=scale)
    linked = _links(chains, most, size=size, first=plain)
    rows = np.vstack((exact, spent, linked))
    below = np.concatenate((wanted, np.full(len(spent) + len(linked), -np.inf)))
    found = milp(
        cost,
        integrality=np.concatenate((np.zeros(plain), np.ones(size - plain))),
        bounds=Bounds(
            np.zeros(size), np.concatenate((most, np.full(plain - len(moves), np.inf), np.ones(size - plain)))
        ),
        constraints=LinearConstraint(csc_matrix(rows), below, np.concatenate((wanted, room, np.zeros(len(linked))))),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    return None if found.x is None else np.clip(found.x[: len(moves)], 0.0, most) * scale


def _weights(task: Task, moves: list[_Move], *, size: int, scale: float) -> tuple[Floats, Floats]:
    """Each instrument is what is wanted of it, but for what it stays off: (n, size), and what is equal to it (n,)."""
    assets = len(task.wanted)
    rows = np.zeros((assets, size))
    for place, move in enumerate(moves):
        rows[move.instrument, place] = move.sign
    for asset in range(assets):
        rows[asset, len(moves) + asset], rows[asset, len(moves) + assets + asset] = 1.0, -1.0
    return rows, (task.wanted - task.held.sum(axis=0)) / scale


def _money(
    task: Task, moves: list[_Move], lacking: dict[int, int], *, size: int, scale: float
) -> tuple[Floats, Floats]:
    """Each account spends what it has, or has sold. One that lacks money buys only once it has sold what it lacks, too.

    (3a, size), and what is not below it (3a,).
    """
    accounts = len(task.cash)
    rows, room = np.zeros((3 * accounts, size)), np.concatenate((task.cash, task.free, np.zeros(accounts))) / scale
    for place, move in enumerate(moves):
        slack = 1.0 + task.slack if move.sign > 0 else 1.0
        rows[[move.account, accounts + move.account], place] = move.sign, move.sign * slack
        rows[2 * accounts + move.account, place] = max(move.sign, 0) if move.account in lacking else 0
    for account, place in lacking.items():
        for row in (account, accounts + account):
            rows[row, place], room[row] = max(0.0, -room[row]), max(0.0, room[row])
        rows[2 * accounts + account, place] = -1.0 - float(task.wanted.sum()) / scale
    return rows, room


def _links(chains: list[list[int]], most: Floats, *, size: int, first: int) -> Floats:
    """Of two neighbours in a chain, the later moves only where the earlier is used up."""
    rows = list[Floats]()
    for chain in chains:
        for one, later in pairwise(chain):
            used = first + len(rows) // 2
            begins, ends = np.zeros(size), np.zeros(size)
            begins[later], begins[used] = 1.0, -most[later]
            ends[one], ends[used] = -1.0, most[one]
            rows += [begins, ends]
    return np.array(rows).reshape(len(rows), size)
