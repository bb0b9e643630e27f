"""Which accounts have a way to a real broker: those that a person has switched live, by the state as it is now."""

from evenkeel.trading.live.ports import StateOwner


class Switched:
    """Holds the ids of accounts that are switched live, or were: what such a one still has is wound down."""

    def __init__(self, owner: StateOwner) -> None:
        self._owner = owner

    def __contains__(self, account_id: object) -> bool:
        held = self._owner.state.accounts.get(account_id) if isinstance(account_id, str) else None
        return held is not None and held.custody is not None
