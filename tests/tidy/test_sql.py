"""SQL lives in `storage` (time series in `market/stores`), and never does arithmetic on decimals.

SQLite keeps our decimals as text: there SUM goes through floats, and ORDER BY and comparisons go by letters.
"""

import ast
import re
from pathlib import Path

from evenkeel.storage.tables import METADATA
from evenkeel.storage.tables.types import Exact
from tests.tidy.sources import SRC, code_strings, files, source_files, tree, where

STATEMENT = re.compile(
    r"\b(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+TABLE\s)",
    re.DOTALL,
)
# The simulated venue as its own process keeps its own book, as a vendor would.
SQL_ROOMS = (
    SRC / "storage",
    SRC / "market" / "stores",
    SRC / "trading" / "brokers" / "simulated" / "process",
)
ARITHMETIC = {"sum", "avg", "min", "max", "total", "abs", "round"}
ORDERING = {"order_by", "between", "group_by", "asc", "desc"}
DECIMALS = {
    column.name for table in METADATA.tables.values() for column in table.columns if isinstance(column.type, Exact)
}


def test_sql_is_written_in_storage_only() -> None:
    found = [
        f"{where(path, node)} {str(node.value)[:80]!r}"
        for path in source_files()
        if not any(path.is_relative_to(room) for room in SQL_ROOMS)
        for node in code_strings(path)
        if STATEMENT.search(str(node.value))
    ]
    assert found == []


def is_decimal_column(node: ast.expr) -> bool:
    """`table.c.price` or `table.c["price"]`, where some table of ours has an exact column of that name."""
    if isinstance(node, ast.Attribute):
        owner, name = node.value, node.attr
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        owner, name = node.value, str(node.slice.value)
    else:
        return False
    return name in DECIMALS and isinstance(owner, ast.Attribute) and owner.attr in {"c", "columns"}


def reckons(node: ast.AST) -> bool:
    """Whether an expression adds up, orders by or compares a decimal column inside the database."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner, name = node.func.value, node.func.attr
        if isinstance(owner, ast.Name) and owner.id == "func" and name in ARITHMETIC:
            return any(is_decimal_column(part) for argument in node.args for part in expressions(argument))
        if name in ORDERING:
            return any(map(is_decimal_column, [owner, *node.args]))
    if isinstance(node, ast.Compare):
        return any(is_decimal_column(side) for side in (node.left, *node.comparators))
    if isinstance(node, ast.BinOp):
        return is_decimal_column(node.left) or is_decimal_column(node.right)
    return False


def expressions(node: ast.expr) -> list[ast.expr]:
    return [part for part in ast.walk(node) if isinstance(part, ast.expr)]


def test_no_query_reckons_with_a_decimal_column() -> None:
    found = [
        f"{where(path, node)} {ast.unparse(node)[:100]}"
        for path in files(".py", under=SRC / "storage")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.expr) and reckons(node)
    ]
    assert found == []


def test_no_written_statement_reckons_with_a_decimal_column() -> None:
    names = "|".join(sorted(map(re.escape, DECIMALS)))
    pattern = re.compile(
        rf"\b(SUM|AVG|MIN|MAX|TOTAL)\(\s*(\w+\.)?({names})\b|ORDER\s+BY\s[^)]*\b({names})\b|\b({names})\s*[<>]",
        re.IGNORECASE,
    )
    found = [
        f"{where(path, node)} {str(node.value)[:100]!r}"
        for path in files(".py", under=SRC / "storage")
        for node in code_strings(path)
        if STATEMENT.search(str(node.value)) and pattern.search(str(node.value))
    ]
    assert found == []


def test_the_check_sees_what_it_looks_for() -> None:
    column = sorted(DECIMALS)[0]
    faults = [
        f"func.sum(t.c.{column})",
        f"select(t).order_by(t.c.{column})",
        f"select(t).order_by(t.c['{column}'].desc())",
        f"t.c.{column} > x",
        f"t.c.{column} + t.c.other",
    ]
    assert [fault for fault in faults if not any(reckons(node) for node in ast.walk(ast.parse(fault)))] == []
    fine = [f"row.{column} > 0", f"func.count(t.c.{column})", f"select(t.c.{column}).order_by(t.c.created_at)"]
    assert [case for case in fine if any(reckons(node) for node in ast.walk(ast.parse(case)))] == []
    assert Path(SRC / "storage").is_dir()
