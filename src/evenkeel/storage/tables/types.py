"""Column types and shorthands. Decimals round-trip exactly on both databases.

`Exact` is NUMERIC without precision on PostgreSQL, which keeps every digit as given, and plain-notation text on SQLite,
where SUM, ORDER BY and comparisons would go through floats or sort wrongly: no query of ours does any of these with it.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from evenkeel.domain.errors import InexactMoney

Json = JSON().with_variant(JSONB(), "postgresql")
MaybeJson = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
Ns = BigInteger


class Exact(TypeDecorator[Decimal]):
    """A finite decimal, digit for digit. Raises InexactMoney for NaN and infinities."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Numeric() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not value.is_finite():
            raise InexactMoney(f"{value} cannot be stored as an amount")
        return value if dialect.name == "postgresql" else format(value if value else value.copy_abs(), "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return value if value is None or isinstance(value, Decimal) else Decimal(value)


def need(name: str, kind: Any = Text, **options: Any) -> Column[Any]:
    """A column that always has a value."""
    return Column(name, kind, nullable=False, **options)


def may(name: str, kind: Any = Text, **options: Any) -> Column[Any]:
    """A column that may be empty."""
    return Column(name, kind, nullable=True, **options)


def key(name: str, kind: Any = Text) -> Column[Any]:
    """A part of the primary key."""
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)
