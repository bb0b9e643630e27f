"""What the rooms above read and write of the tables; a repository binds every query to its shard or user."""

from evenkeel.storage.repositories.backtests import StoredBacktests
from evenkeel.storage.repositories.configurations import StoredConfigurations
from evenkeel.storage.repositories.history import History
from evenkeel.storage.repositories.order_templates import StoredOrderTemplates
from evenkeel.storage.repositories.people import StoredTokens, StoredUsers
from evenkeel.storage.repositories.templates import StoredTemplates

__all__ = [
    "History",
    "StoredBacktests",
    "StoredConfigurations",
    "StoredOrderTemplates",
    "StoredTemplates",
    "StoredTokens",
    "StoredUsers",
]
