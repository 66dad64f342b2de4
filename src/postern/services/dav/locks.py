"""Write locks of documents (RFC 4918 sections 6 and 7).

They are kept in a document of the mailbox, so that all workers know them. Only files can be locked: a calendar's clients go by
entity tags, and a lock of theirs would be in the way of the phone beside them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from uuid import uuid4

from postern.protocols.dav.bodies import LockRequest
from postern.protocols.dav.conditions import IfHeader
from postern.protocols.dav.fields import Depth
from postern.protocols.dav.multistatus import href_of
from postern.services.dav import documents
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.request import Refusal

DOCUMENT = "locks"
DEFAULT_SECONDS = 600
MAX_SECONDS = 86_400
"""A lock that nobody refreshes for a day was forgotten."""
MAX_LOCKS = 500
SUPPORTED_LOCK = "".join(
    f"<D:lockentry><D:lockscope><D:{scope}/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    for scope in ("exclusive", "shared")
)


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock. `path` is that of its root without a slash at the end; `owner` is markup; `until` seconds since the epoch."""

    token: str
    path: str
    exclusive: bool
    deep: bool
    owner: str
    until: int

    def covers(self, path: str) -> bool:
        return self.path == path or (self.deep and path.startswith(self.path + "/"))


def plain(path: str) -> str:
    """Returns the path as locks know it."""
    return path.rstrip("/")


class Locks:
    """The locks of a mailbox, as they were when the request began."""

    def __init__(self, locks: Iterable[Lock] = ()) -> None:
        self.all = tuple(locks)

    def covering(self, path: str) -> tuple[Lock, ...]:
        return tuple(lock for lock in self.all if lock.covers(plain(path)))

    def below(self, path: str) -> tuple[Lock, ...]:
        return tuple(lock for lock in self.all if lock.path.startswith(plain(path) + "/"))

    def check(self, path: str, tokens: frozenset[str], *, members: bool = False, deep: bool = False) -> None:
        """Raises Refusal 423 unless the client has shown a token for each lock that forbids to change the thing at `path`.
        `members`: it comes or goes, which changes the collection that it is in; `deep`: with all that is below it."""
        paths = [plain(path)]
        in_way = list(self.covering(path))
        if members:
            parent = plain(path).rpartition("/")[0]
            paths.append(parent)
            in_way += self.covering(parent)
        if deep:
            in_way += self.below(path)
        # Of several shared locks of one root it is enough to have one.
        roots = {lock.path for lock in in_way}
        shown = {lock.path for lock in in_way if lock.token in tokens}
        missing = sorted(roots - shown)
        if missing:
            hrefs = "".join(f"<D:href>{href_of(root)}</D:href>" for root in missing)
            raise Refusal(HTTPStatus.LOCKED, f"<D:lock-token-submitted>{hrefs}</D:lock-token-submitted>")


NO_LOCKS = Locks()


async def read(box: OwnMailbox) -> Locks:
    """Returns the locks that are in force."""
    return Locks(_of(await documents.read(box, DOCUMENT)))


def _of(document: documents.Document) -> list[Lock]:
    now = time.time()
    locks = [Lock(**entry) for entry in document.get("locks", ())]
    return [lock for lock in locks if lock.until > now]


def _put(document: documents.Document, locks: Iterable[Lock]) -> None:
    document["locks"] = [asdict(lock) for lock in locks]


async def take(box: OwnMailbox, path: str, request: LockRequest, depth: Depth, seconds: int) -> Lock:
    """Takes a lock. Raises Refusal: 423 where another is in the way, 507 for too many."""
    lock = Lock(
        f"urn:uuid:{uuid4()}",
        plain(path),
        request.exclusive,
        depth is not Depth.ZERO,
        request.owner,
        int(time.time()) + seconds,
    )

    def work(document: documents.Document) -> None:
        locks = _of(document)
        known = Locks(locks)
        others = [*known.covering(lock.path), *(known.below(lock.path) if lock.deep else ())]
        in_way = sorted({each.path for each in others if each.exclusive or lock.exclusive})
        if in_way:
            hrefs = "".join(f"<D:href>{href_of(each)}</D:href>" for each in in_way)
            raise Refusal(HTTPStatus.LOCKED, f"<D:no-conflicting-lock>{hrefs}</D:no-conflicting-lock>")
        if len(locks) >= MAX_LOCKS:
            raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, text="There are too many locks")
        _put(document, [*locks, lock])

    await documents.change(box, DOCUMENT, work)
    return lock


async def refresh(box: OwnMailbox, path: str, condition: IfHeader, seconds: int) -> Lock:
    """Gives a lock more time. Raises Refusal 412 where the client shows no lock of this resource."""

    def work(document: documents.Document) -> Lock:
        locks = _of(document)
        old = next((lock for lock in locks if lock.token in condition.tokens and lock.covers(plain(path))), None)
        if old is None:
            raise Refusal(HTTPStatus.PRECONDITION_FAILED, "<D:lock-token-matches-request-uri/>")
        new = Lock(old.token, old.path, old.exclusive, old.deep, old.owner, int(time.time()) + seconds)
        _put(document, [new if lock is old else lock for lock in locks])
        return new

    return await documents.change(box, DOCUMENT, work)


async def release(box: OwnMailbox, path: str, token: str) -> None:
    """Removes a lock. Raises Refusal 409 where it is no lock of this resource."""

    def work(document: documents.Document) -> None:
        locks = _of(document)
        kept = [lock for lock in locks if lock.token != token or not lock.covers(plain(path))]
        if len(kept) == len(locks):
            raise Refusal(HTTPStatus.CONFLICT, "<D:lock-token-matches-request-uri/>")
        _put(document, kept)

    await documents.change(box, DOCUMENT, work)


async def forget(box: OwnMailbox, locks: Locks, path: str) -> None:
    """Removes the locks of what is no longer at `path`, or below it."""
    gone = {lock.token for lock in locks.all if f"{lock.path}/".startswith(f"{plain(path)}/")}
    if gone:
        await documents.change(
            box, DOCUMENT, lambda document: _put(document, [lock for lock in _of(document) if lock.token not in gone])
        )


def discovery(locks: Iterable[Lock]) -> str:
    """Returns the markup of `lockdiscovery`."""
    now = time.time()
    return "".join(
        f"<D:activelock><D:locktype><D:write/></D:locktype>"
        f"<D:lockscope><D:{'exclusive' if lock.exclusive else 'shared'}/></D:lockscope>"
        f"<D:depth>{'infinity' if lock.deep else '0'}</D:depth>{lock.owner}"
        f"<D:timeout>Second-{max(1, int(lock.until - now))}</D:timeout>"
        f"<D:locktoken><D:href>{lock.token}</D:href></D:locktoken>"
        f"<D:lockroot><D:href>{href_of(lock.path)}</D:href></D:lockroot></D:activelock>"
        for lock in locks
    )
