"""What people say of their accounts that trading never reads: numbers, labels, notes, groups, a way out to the network.

None of it is in the journal, so that all of it can be changed and erased.
"""

from msgspec import Struct

MOST_LABELS = 20
MOST_GROUPS = 200


class AccountDetails(Struct, frozen=True):
    """`number` is the broker's, `egress` the address of this machine from which the broker is spoken to."""

    account_id: str
    user_id: str
    number: str = ""
    labels: tuple[str, ...] = ()
    notes: str = ""
    egress: str = ""


class AccountGroup(Struct, frozen=True):
    """Accounts of one user under one name; an account may be in several groups."""

    id: str
    user_id: str
    name: str
    account_ids: tuple[str, ...] = ()
