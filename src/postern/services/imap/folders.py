"""Commands on folders: LIST and its kin, STATUS, CREATE, DELETE, RENAME, SUBSCRIBE, NAMESPACE, QUOTA (RFC 9051 section 6.3)."""

from __future__ import annotations

from collections.abc import Iterable

from postern.model.folders import FolderKind, Right
from postern.model.items import Column, Flag
from postern.model.search import SearchTerm
from postern.protocols.imap.commands import Command, List, OnMailbox, Rename, Status
from postern.protocols.imap.patterns import begins_below, canonical, matches
from postern.services.imap.acl import told_rights
from postern.services.imap.failures import no
from postern.services.imap.homes import OTHERS, Home, Path, Place, nonexistent, placed, refused
from postern.services.imap.state import ImapState, path_of

SPECIAL_USE = {
    FolderKind.SENT: b"\\Sent",
    FolderKind.DRAFTS: b"\\Drafts",
    FolderKind.DELETED: b"\\Trash",
    FolderKind.JUNK: b"\\Junk",
    FolderKind.ARCHIVE: b"\\Archive",
}
"""RFC 6154 section 2."""
_CRITERIA = {"SUBSCRIBED", "SPECIAL-USE"}
"""The selection options that RECURSIVEMATCH looks for below a name."""
KILOBYTE = 1024


async def namespace(state: ImapState, command: Command) -> None:
    """NAMESPACE (RFC 2342): one's own folders without a prefix, those of others below "Other Users/"."""
    state.require_authenticated()
    state.send(b'NAMESPACE (("" "/")) (("' + OTHERS.encode() + b'/" "/")) NIL')
    state.done(command)


async def list_folders(state: ImapState, command: List) -> None:
    """LIST, with RFC 5258's options, RFC 5819's STATUS, RFC 6154's special uses and RFC 8440's MYRIGHTS; LSUB."""
    state.require_authenticated()
    if command.patterns == ("",) and not command.selection:
        state.send(command.name.encode() + b' (\\Noselect) "/" ""')  # asks for the delimiter
        state.done(command)
        return
    lines = _Lines(state, command)
    await lines.send()
    state.done(command)


class _Lines:
    """The answer to one LIST."""

    def __init__(self, state: ImapState, command: List) -> None:
        self._state = state
        self._command = command
        self._patterns = [
            pattern
            for asked in command.patterns
            if asked and (pattern := canonical(command.reference, asked)) is not None
        ]
        self._lsub = command.name == "LSUB"
        self._subscribed_only = self._lsub or "SUBSCRIBED" in command.selection
        self._subscribed: set[Path] = set()
        self._parents: set[Path] = set()
        """Names that have others below them. A name without a folder is a level whose folder was deleted or never made."""
        self._holds: set[Path] = set()
        """Names that have, somewhere below them, a name that RECURSIVEMATCH looks for and that has no line of its own."""

    async def send(self) -> None:
        state, command = self._state, self._command
        folders = {place.path: place for place in await self._places()}
        self._parents = _above(folders)
        if self._subscribed_only or "SUBSCRIBED" in command.returns:
            self._subscribed = set(await state.opened.mailboxes.subscriptions(state.opened.mailbox))
        if "RECURSIVEMATCH" in command.selection:
            self._holds = _above(path for path in self._sought(folders) if not self._is_named(path))
        for path in sorted(folders.keys() | self._parents | self._subscribed, key=_inbox_first):
            folder = folders.get(path)
            attributes = self._attributes(path, folder)
            if attributes is None:
                continue
            extra = b""
            if path in self._holds:
                extra = b' ("CHILDINFO" (' + self._child_criteria() + b"))"
            name = state.mailbox("/".join(path))
            state.send(command.name.encode() + b" (" + b" ".join(attributes) + b') "/" ' + name + extra)
            if folder is None:
                continue
            if "MYRIGHTS" in command.returns:
                state.send(told_rights(state, folder))
            if command.status and Right.READ_ANY in folder.rights:  # RFC 5819 section 2
                state.send(await status_line(state, folder, command.status))
        if self._lsub:
            self._send_lsub_parents()

    async def _places(self) -> list[Place]:
        """The folders that there are: one's own, and those of others if the patterns can match them. A client that asks for its
        subscriptions or special uses alone finds the latter among its own only."""
        places = await self._state.own_places()
        if any(begins_below(pattern, OTHERS) for pattern in self._patterns):
            places += await self._state.homes.shown()
        return places

    def _is_named(self, path: Path) -> bool:
        name = "/".join(path)
        return any(matches(pattern, name) for pattern in self._patterns)

    def _sought(self, folders: dict[Path, Place]) -> Iterable[Path]:
        """The names that RECURSIVEMATCH looks for: those that the other options choose (RFC 9051 section 6.3.9.1)."""
        selection = self._command.selection
        paths = self._subscribed if "SUBSCRIBED" in selection else folders.keys()
        if "SPECIAL-USE" in selection:
            return [path for path in paths if path in folders and _special_use(folders[path])]
        return paths

    def _attributes(self, path: Path, folder: Place | None) -> list[bytes] | None:
        """The attributes in parentheses; None if this name is not in the answer."""
        if not self._is_named(path):
            return None
        subscribed = path in self._subscribed
        special = _special_use(folder) if folder else None
        chosen = subscribed or not self._subscribed_only
        if "SPECIAL-USE" in self._command.selection and special is None:
            chosen = False
        if not chosen and path not in self._holds:
            return None
        level = path in self._parents
        if self._lsub:
            return [] if folder else [b"\\Noselect"]
        attributes = [b"\\HasChildren" if level else b"\\HasNoChildren"] if folder or level else []
        if folder is None:
            attributes.insert(0, self._no_folder())
        if special:
            attributes.append(special)
        if subscribed:
            attributes.append(b"\\Subscribed")
        return attributes

    def _no_folder(self) -> bytes:
        """The attribute of a name that is no folder but has folders below it or is subscribed to (RFC 9051 section 7.3.1).
        IMAP4rev1 has \\NonExistent from RFC 5258 alone, so a client of it gets that only if its command uses RFC 5258."""
        return b"\\NonExistent" if self._state.rev2 or self._command.extended else b"\\Noselect"

    def _child_criteria(self) -> bytes:
        return b" ".join(b'"' + option.encode() + b'"' for option in sorted(self._command.selection & _CRITERIA))

    def _send_lsub_parents(self) -> None:
        """RFC 3501 section 6.3.9: with "%", a level that is not subscribed but holds subscribed names is listed as \\Noselect."""
        if not any("%" in pattern for pattern in self._patterns):
            return
        for path in sorted(_above(self._subscribed) - self._subscribed, key=_inbox_first):
            if self._is_named(path):
                self._state.send(b'LSUB (\\Noselect) "/" ' + self._state.mailbox("/".join(path)))


def _special_use(place: Place) -> bytes | None:
    """The special use of a folder (RFC 6154). Those of others have none: a client must not put its own drafts there."""
    return SPECIAL_USE.get(place.folder.kind) if place.home.is_own else None


def _above(paths: Iterable[Path]) -> set[Path]:
    """All levels above these names."""
    return {path[:depth] for path in paths for depth in range(1, len(path))}


def _inbox_first(path: Path) -> tuple[bool, Path]:
    return path[0] != "INBOX", path


async def status(state: ImapState, command: Status) -> None:
    place = await state.place(command.mailbox)
    place.require(Right.READ_ANY)
    state.send(await status_line(state, place, command.items))
    state.done(command)


async def status_line(state: ImapState, place: Place, items: tuple[str, ...]) -> bytes:
    """RFC 9051 section 6.3.11."""
    folder = place.folder
    if "HIGHESTMODSEQ" in items:
        state.enable_condstore()  # RFC 7162 section 3.1
    values = {
        "MESSAGES": folder.messages,
        "UIDNEXT": folder.uid_next,
        "UIDVALIDITY": folder.uid_validity,
        "UNSEEN": folder.unseen,
        "DELETED": folder.deleted,
        "SIZE": folder.size,
        "HIGHESTMODSEQ": folder.highest_modseq,
        "APPENDLIMIT": state.access.limits.message_size,
    }
    if "DELETED-STORAGE" in items:
        values["DELETED-STORAGE"] = await _deleted_storage(place)
    if "RECENT" in items:
        values["RECENT"] = await _recent(place)
    told = b" ".join([b"%b %d" % (item.encode(), values[item]) for item in items])
    return b"STATUS " + state.mailbox(place.name) + b" (" + told + b")"


async def _deleted_storage(place: Place) -> int:
    """Octets that EXPUNGE would free, for a server with QUOTA=RES-STORAGE (RFC 9208 section 4.1.4)."""
    mailboxes, mailbox, folder = place.home.mailboxes, place.home.mailbox, place.folder
    if not folder.deleted:
        return 0
    uids = (await mailboxes.search(mailbox, folder.id, SearchTerm("flag", number=Flag.DELETED))).uids
    items = await mailboxes.fetch(mailbox, folder.id, [(uid, uid) for uid in uids], Column.SIZE)
    return sum(items.sizes)


async def _recent(place: Place) -> int:
    mailboxes, mailbox, folder = place.home.mailboxes, place.home.mailbox, place.folder
    if folder.recent_uid >= folder.uid_next:
        return 0
    fresh = SearchTerm("uid", uids=((folder.recent_uid, folder.uid_next - 1),))
    return len((await mailboxes.search(mailbox, folder.id, fresh)).uids)


async def create(state: ImapState, command: OnMailbox) -> None:
    """CREATE, which needs the right `k` in the nearest folder above that exists (RFC 4314 section 4)."""
    # RFC 9051 section 6.3.4: a trailing delimiter only declares intent
    home, path = await _free_name(state, command.mailbox.removesuffix("/"))
    parent = await _may_create(state, home, path)
    folder = await home.mailboxes.create_folder(home.mailbox, path)
    if parent is not None:
        await _inherit(state, parent, path)
    name = home.prefix + folder.path
    state.paths[name] = folder.id
    state.tell_name(name, command.written.removesuffix("/"))
    state.done(command)


async def _free_name(state: ImapState, name: str) -> tuple[Home, Path]:
    """Returns the mailbox and the path of a name that a folder is to get. Raises NO for a level of "Other Users/" itself."""
    path = path_of(name)
    home, inner = await state.homes.of(path)
    if not inner or (home.is_own and path[0] == OTHERS):
        raise no(f"Below {OTHERS}/ are the folders of others", "CANNOT")
    return home, inner


async def _may_create(state: ImapState, home: Home, path: Path) -> Place | None:
    """Returns the nearest folder above that exists. Raises NO without the right to make folders below it, also where it is one
    that the user must not know of; at the top of another's mailbox only full access gives that right."""
    if home.is_own and len(path) == 1:
        return None
    above = {folder.path: folder for folder in await home.mailboxes.folders(home.mailbox)}
    nearest = next((above[path[:depth]] for depth in range(len(path) - 1, 0, -1) if path[:depth] in above), None)
    rights = await state.homes.rights(home)
    if nearest is None:
        if not rights.is_full:
            raise refused(Right.VISIBLE)
        return None
    parent = placed(home, nearest, rights)
    if parent is None:
        raise nonexistent()
    parent.require(Right.CREATE_SUBFOLDER)
    return parent


async def _inherit(state: ImapState, parent: Place, path: Path) -> None:
    """Gives a new folder, and the levels that were made for it, the rights of the folder above (RFC 4314 section 4). Until then
    only the owner sees it."""
    home = parent.home
    entries = await home.tree.rights(home.mailbox, parent.folder.id)
    if not entries:
        return
    owner = await state.owner_of(home)
    new = {path[:depth] for depth in range(len(parent.folder.path) + 1, len(path) + 1)}
    for folder in await home.mailboxes.folders(home.mailbox):
        if folder.path in new:
            for grantee, rights in entries.items():
                await state.access.sharing.set_rights(owner, folder.id, grantee, rights)


async def delete(state: ImapState, command: OnMailbox) -> None:
    place = await state.place(command.mailbox)
    place.require(Right.OWNER)
    if place.folder.kind is FolderKind.INBOX:
        raise no("INBOX stays", "CANNOT")
    await place.home.mailboxes.delete_folder(place.home.mailbox, place.folder.id)
    state.paths.clear()
    if state.has_selected(place):
        state.view = None
        state.send(b"OK [CLOSED] The selected mailbox is deleted")
    state.done(command)


async def rename(state: ImapState, command: Rename) -> None:
    """RENAME, which needs the right `x` in the folder and `k` in the one above the new name (RFC 4314 section 4). What others may
    do in it stays as it is."""
    place = await state.place(command.mailbox)
    place.require(Right.OWNER)
    home, path = await _free_name(state, command.target)
    if home.mailbox != place.home.mailbox:
        raise no("A folder stays in its mailbox: copy what is in it", "CANNOT")
    if not home.is_own:
        await _may_create(state, home, path)
    await home.mailboxes.rename_folder(home.mailbox, place.folder.id, path)
    state.paths.clear()
    state.tell_name(home.prefix + path, place.name)  # RFC 9051 section 6.3.6
    state.done(command)


async def subscribe(state: ImapState, command: OnMailbox) -> None:
    opened = state.opened
    if command.name == "SUBSCRIBE":
        place = await state.place(command.mailbox)  # RFC 9051 section 6.3.7: it may be asked to exist
        place.require(Right.VISIBLE)
        path = place.path
    else:
        path = path_of(command.mailbox)
    await opened.mailboxes.subscribe(opened.mailbox, path, command.name == "SUBSCRIBE")
    state.done(command)


async def quota(state: ImapState, command: OnMailbox) -> None:
    """GETQUOTA and GETQUOTAROOT (RFC 9208): one root for a whole mailbox. One's own is named "", that of another by the prefix of
    its folders; only who may put messages there is told how full it is."""
    if command.name == "GETQUOTAROOT":
        place = await state.place(command.mailbox)
        home = place.home
        root = state.mailbox("/".join(home.prefix))
        state.send(b"QUOTAROOT " + state.mailbox(place.name) + b" " + root)
        if Right.CREATE not in place.rights:
            state.done(command)
            return
    else:
        home, path = await _root(state, command.mailbox)
        root = state.mailbox("/".join(home.prefix))
        if path:
            raise no("No such quota root", "NONEXISTENT")
    await state.renew_quota(home)
    info = await home.mailboxes.logon(home.mailbox)
    used, limit = -(-info.used // KILOBYTE), info.quota // KILOBYTE
    resource = b"STORAGE %d %d" % (used, limit) if limit else b""
    state.send(b"QUOTA " + root + b" (" + resource + b")")
    state.done(command)


async def _root(state: ImapState, name: str) -> tuple[Home, Path]:
    """Returns the mailbox that a quota root is for. Raises NO unless it is the user's own, or one that the user may fill."""
    own = state.homes.own
    if not name:
        return own, ()
    home, path = await state.homes.of(path_of(name))
    if home.is_own or any(Right.CREATE in place.rights for place in await state.homes.places(home)):
        return home, path
    raise no("No such quota root", "NONEXISTENT")
