"""Commands on folders: LIST and its kin, STATUS, CREATE, DELETE, RENAME, SUBSCRIBE, NAMESPACE, QUOTA (RFC 9051 section 6.3)."""

from __future__ import annotations

from collections.abc import Iterable

from postern.model.folders import Folder, FolderKind
from postern.model.items import Column, Flag
from postern.model.search import SearchTerm
from postern.protocols.imap.commands import Command, List, OnMailbox, Rename, Status
from postern.protocols.imap.patterns import canonical, matches
from postern.protocols.imap.responses import string
from postern.services.imap.state import ImapState, Path, no, path_of

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
    state.require_authenticated()
    state.send(b'NAMESPACE (("" "/")) NIL NIL')
    state.done(command)


async def list_folders(state: ImapState, command: List) -> None:
    """LIST, with RFC 5258's options, RFC 5819's STATUS and RFC 6154's special uses; LSUB."""
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
        folders = {folder.path: folder for folder in await state.folders()}
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
            if command.status and folder is not None:
                state.send(await status_line(state, folder, command.status))
        if self._lsub:
            self._send_lsub_parents()

    def _is_named(self, path: Path) -> bool:
        name = "/".join(path)
        return any(matches(pattern, name) for pattern in self._patterns)

    def _sought(self, folders: dict[Path, Folder]) -> Iterable[Path]:
        """The names that RECURSIVEMATCH looks for: those that the other options choose (RFC 9051 section 6.3.9.1)."""
        selection = self._command.selection
        paths = self._subscribed if "SUBSCRIBED" in selection else folders.keys()
        if "SPECIAL-USE" in selection:
            return [path for path in paths if path in folders and folders[path].kind in SPECIAL_USE]
        return paths

    def _attributes(self, path: Path, folder: Folder | None) -> list[bytes] | None:
        """The attributes in parentheses; None if this name is not in the answer."""
        if not self._is_named(path):
            return None
        subscribed = path in self._subscribed
        special = SPECIAL_USE.get(folder.kind) if folder else None
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


def _above(paths: Iterable[Path]) -> set[Path]:
    """All levels above these names."""
    return {path[:depth] for path in paths for depth in range(1, len(path))}


def _inbox_first(path: Path) -> tuple[bool, Path]:
    return path[0] != "INBOX", path


async def status(state: ImapState, command: Status) -> None:
    folder = await state.folder(command.mailbox)
    state.send(await status_line(state, folder, command.items))
    state.done(command)


async def status_line(state: ImapState, folder: Folder, items: tuple[str, ...]) -> bytes:
    """RFC 9051 section 6.3.11."""
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
        values["DELETED-STORAGE"] = await _deleted_storage(state, folder)
    if "RECENT" in items:
        values["RECENT"] = await _recent(state, folder)
    told = b" ".join([b"%b %d" % (item.encode(), values[item]) for item in items])
    return b"STATUS " + state.mailbox("/".join(folder.path)) + b" (" + told + b")"


async def _deleted_storage(state: ImapState, folder: Folder) -> int:
    """Octets that EXPUNGE would free, for a server with QUOTA=RES-STORAGE (RFC 9208 section 4.1.4)."""
    if not folder.deleted:
        return 0
    mailboxes, mailbox = state.opened.mailboxes, state.opened.mailbox
    uids = (await mailboxes.search(mailbox, folder.id, SearchTerm("flag", number=Flag.DELETED))).uids
    items = await mailboxes.fetch(mailbox, folder.id, [(uid, uid) for uid in uids], Column.SIZE)
    return sum(items.sizes)


async def _recent(state: ImapState, folder: Folder) -> int:
    if folder.recent_uid >= folder.uid_next:
        return 0
    fresh = SearchTerm("uid", uids=((folder.recent_uid, folder.uid_next - 1),))
    return len((await state.opened.mailboxes.search(state.opened.mailbox, folder.id, fresh)).uids)


async def create(state: ImapState, command: OnMailbox) -> None:
    opened = state.opened
    # RFC 9051 section 6.3.4: a trailing delimiter only declares intent
    path = path_of(command.mailbox.removesuffix("/"))
    folder = await opened.mailboxes.create_folder(opened.mailbox, path)
    state.paths[folder.path] = folder.id
    state.tell_name(folder.path, command.written.removesuffix("/"))
    state.done(command)


async def delete(state: ImapState, command: OnMailbox) -> None:
    opened = state.opened
    folder = await state.folder(command.mailbox)
    if folder.kind is FolderKind.INBOX:
        raise no("INBOX stays", "CANNOT")
    await opened.mailboxes.delete_folder(opened.mailbox, folder.id)
    state.paths.clear()
    if state.view is not None and state.view.folder.id == folder.id:
        state.view = None
        state.send(b"OK [CLOSED] The selected mailbox is deleted")
    state.done(command)


async def rename(state: ImapState, command: Rename) -> None:
    opened = state.opened
    folder = await state.folder(command.mailbox)
    target = path_of(command.target)
    await opened.mailboxes.rename_folder(opened.mailbox, folder.id, target)
    state.paths.clear()
    state.tell_name(target, "/".join(folder.path))  # RFC 9051 section 6.3.6
    state.done(command)


async def subscribe(state: ImapState, command: OnMailbox) -> None:
    opened = state.opened
    if command.name == "SUBSCRIBE":
        path = (await state.folder(command.mailbox)).path  # RFC 9051 section 6.3.7: it may be asked to exist
    else:
        path = path_of(command.mailbox)
    await opened.mailboxes.subscribe(opened.mailbox, path, command.name == "SUBSCRIBE")
    state.done(command)


async def quota(state: ImapState, command: OnMailbox) -> None:
    """GETQUOTA and GETQUOTAROOT (RFC 9208): one root, named "", for the whole mailbox."""
    await state.renew_quota()
    opened = state.opened
    if command.name == "GETQUOTAROOT":
        folder = await state.folder(command.mailbox)
        state.send(b"QUOTAROOT " + state.mailbox("/".join(folder.path)) + b' ""')
    elif command.mailbox:
        raise no("No such quota root", "NONEXISTENT")
    info = await opened.mailboxes.logon(opened.mailbox)
    used, limit = -(-info.used // KILOBYTE), info.quota // KILOBYTE
    resource = b"STORAGE %d %d" % (used, limit) if limit else b""
    state.send(b"QUOTA " + string(b"") + b" (" + resource + b")")
    state.done(command)
