"""What the rooms above read and write of the tables; a repository binds every query to its shard or user."""

from evenkeel.storage.repositories.access import StoredKeys, StoredShares
from evenkeel.storage.repositories.audit import Anchor, StoredAudit
from evenkeel.storage.repositories.backtests import StoredBacktests
from evenkeel.storage.repositories.configurations import StoredConfigurations
from evenkeel.storage.repositories.history import History
from evenkeel.storage.repositories.links import StoredFactors, StoredIdentities, StoredLinks
from evenkeel.storage.repositories.order_templates import StoredOrderTemplates
from evenkeel.storage.repositories.people import StoredTokens, StoredUsers
from evenkeel.storage.repositories.portfolios import PortfolioHistory
from evenkeel.storage.repositories.templates import StoredTemplates
from evenkeel.storage.repositories.vault import StoredVault
from evenkeel.storage.repositories.watchlists import StoredWatchlists
from evenkeel.storage.repositories.webhooks import StoredWebhooks

__all__ = [
    "Anchor",
    "History",
    "PortfolioHistory",
    "StoredAudit",
    "StoredBacktests",
    "StoredConfigurations",
    "StoredFactors",
    "StoredIdentities",
    "StoredKeys",
    "StoredLinks",
    "StoredOrderTemplates",
    "StoredShares",
    "StoredTemplates",
    "StoredTokens",
    "StoredUsers",
    "StoredVault",
    "StoredWatchlists",
    "StoredWebhooks",
]
