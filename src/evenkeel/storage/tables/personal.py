"""Which tables hold personal data, so that a purge misses none: a table of people's that is in neither list is a fault.

`ERASED` loses a person's rows. `KEPT` is work of theirs, or what must stay, under an id that names nobody.
"""

from evenkeel.storage.tables import METADATA, access, account_groups, order_templates, research, strategies

ERASED = (
    account_groups.account_details,
    account_groups.account_taxes,
    account_groups.account_groups,
    account_groups.base_currencies,
    access.account_shares,
    access.api_keys,
    *(METADATA.tables[name] for name in (
        "account_credentials", "identities", "person_links", "recovery_codes", "refresh_tokens", "second_factors",
        "vault_wraps", "vaults", "watchlists", "webhook_deliveries", "webhooks",
    )),
)  # fmt: skip
KEPT = (
    order_templates.order_templates,
    research.backtest_results,
    strategies.strategy_configurations,
)
