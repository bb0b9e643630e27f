"""The vault with all that hangs on it, as the doors meet it."""

from dataclasses import dataclass

from evenkeel.desk.sealing import KeyRing
from evenkeel.desk.vault.credentials import AccountCredentials
from evenkeel.desk.vault.live_gate import LiveGate
from evenkeel.desk.vault.ports import VaultStore
from evenkeel.desk.vault.vault import Vault
from evenkeel.desk.vault.wrapping import Cost

PURPOSE = "vault"


@dataclass(frozen=True, slots=True)
class Safe:
    """Made once for a process that owns a home; `days` is the age from which credentials are due for renewal."""

    vault: Vault
    credentials: AccountCredentials
    gate: LiveGate
    days: int | None = None


def made(store: VaultStore, ring: KeyRing, *, days: int | None = None, cost: Cost | None = None) -> Safe:
    """`ring` is the server's; what is sealed here is sealed under keys derived from it."""
    vault = Vault(store, ring.derived(PURPOSE), cost=cost)
    credentials = AccountCredentials(vault)
    return Safe(vault, credentials, LiveGate(credentials), days)
