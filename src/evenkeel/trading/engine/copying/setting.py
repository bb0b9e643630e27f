"""Setting copy links: what they may be, who follows whom, and how far the journal has been read for them."""

from msgspec import structs

from evenkeel.domain.commands import ChangeCopyLink, OpenCopyLink
from evenkeel.domain.copy_records import CopyCursorMoved, CopyLinkSet
from evenkeel.domain.copying import CopyLink, faults, term_faults
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from evenkeel.domain.events import CopiesRead
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn


def open_link(turn: Turn, command: OpenCopyLink) -> Outcome:
    """Makes a link. Raises InvalidInput for one that makes no sense, and Conflict for one that copies in a circle, or
    what another link of the two accounts copies already."""
    state, link = turn.state, command.link
    for account_id in (link.master_id, link.follower_id):
        state.account(account_id)
    found = faults(link) + _unknown(state, link)
    if found:
        raise InvalidInput("the copy link is not valid", errors=tuple(found))
    if link.id in state.copying.links:
        raise Conflict("there is a copy link of this id already")
    _check_circle(state, link)
    for other in state.copying.live():
        same_pair = (other.link.master_id, other.link.follower_id) == (link.master_id, link.follower_id)
        if same_pair and other.link.filter.meets(link.filter):
            raise Conflict(
                f"link {other.link.id} between these accounts already copies some of what this one would",
                hint="Remove that link first, or have the two copy different symbols, asset classes or books.",
            )
    turn.emit(CopyLinkSet(at=turn.at, link=link, provenance=command.provenance))
    return Outcome(link.id)


def _unknown(state: State, link: CopyLink) -> list[FieldError]:
    names = [("filter.instruments", name) for name in link.filter.instrument_ids]
    names += [("symbols", name) for pair in link.symbols.items() for name in (pair[0], pair[1].instrument_id)]
    return [FieldError(field, f"no such instrument: {name}") for field, name in names if name not in state.instruments]


def _check_circle(state: State, link: CopyLink) -> None:
    """Raises Conflict where what the follower does would come back to it."""
    leads = [(one.link.master_id, one.link.follower_id) for one in state.copying.live()]
    seen, waiting = set[str](), [link.follower_id]
    while waiting:
        account_id = waiting.pop()
        if account_id == link.master_id:
            raise Conflict("this would copy in a circle: the master follows that follower, itself or through others")
        if account_id not in seen:
            seen.add(account_id)
            waiting += [follower for master, follower in leads if master == account_id]


def link_of(state: State, link_id: str) -> LinkState:
    """A link that has not been removed. Raises NotFound."""
    one = state.copying.links.get(link_id)
    if one is None or one.link.removed:
        raise NotFound(f"there is no copy link {link_id!r}")
    return one


def change_link(turn: Turn, command: ChangeCopyLink) -> Outcome:
    """Accepts, pauses, resumes or removes a link, or gives it other terms. Raises NotFound and InvalidInput."""
    one, change = link_of(turn.state, command.link_id), command.change
    found = [] if change.terms is None else term_faults(change.terms)
    if found:
        raise InvalidInput("the terms are not valid", errors=tuple(found))
    given = {name: getattr(change, name) for name in change.__struct_fields__}
    after = structs.replace(one.link, **{name: value for name, value in given.items() if value is not None})
    if after != one.link:
        turn.emit(CopyLinkSet(at=turn.at, link=after, provenance=command.provenance))
    return Outcome(one.link.id, created=False)


def read(turn: Turn, event: CopiesRead) -> None:
    """What has been read, and concerns no link, is not read again after a restart."""
    if event.cursor > turn.state.copying.cursor:
        turn.emit(CopyCursorMoved(at=turn.at, cursor=event.cursor))
