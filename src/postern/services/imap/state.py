"""One IMAP session's state and its ways to answer. Every group of commands (`folders`, `fetch`, ...) works on it.

Holds the opened mailbox, the selected folder's view and what the client enabled; decides when changes made by others are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from postern.model.directory import Recipient
from postern.model.folders import Folder, Right
from postern.model.items import KEYWORD_BASE, MAX_KEYWORDS, Column, Index
from postern.model.mailbox import MailboxError
from postern.net.link import Link
from postern.protocols.imap import responses
from postern.protocols.imap.commands import Command
from postern.protocols.imap.cursor import SAVED, Ranges
from postern.protocols.imap.machine import ServerMachine
from postern.services.access.logon import ClientAccess, OpenedMailbox, renewed
from postern.services.imap.failures import bad, no
from postern.services.imap.homes import Home, Homes, Path, Place, nonexistent, placed
from postern.services.imap.view import FolderView, Slice

SMALL = 32_768
"""Bytes of an answer that are gathered before they are written."""
PIECE = 131_072
"""Octets of a long answer that are written at once."""


REVOKED = b"[NOPERM] You may not read the selected mailbox any more"


class Revoked(Exception):
    """The user may not read the selected folder any more. Nothing can be told of it then, and no answer takes a client out of it
    but BYE (RFC 4314 section 5.1.1)."""


class ImapState:
    """`link` is set when the connection is there, `opened` after authentication, `view` while a folder is selected."""

    def __init__(self, access: ClientAccess, machine: ServerMachine) -> None:
        self.access = access
        self.machine = machine
        self.link: Link | None = None
        self._opened: OpenedMailbox | None = None
        self._homes: Homes | None = None
        self.view: FolderView | None = None
        self.paths: dict[Path, int] = {}
        """Folder ids by path, as last seen."""
        self.saved: list[int] = []
        """UIDs of the last SEARCH RETURN (SAVE)."""
        self.condstore = False
        self.rev2 = False
        self.utf8 = False
        """Names are UTF-8: the client enabled IMAP4rev2 or UTF8=ACCEPT."""
        self.utf8_accepted = False
        self._poured = 0

    @property
    def authenticated(self) -> bool:
        return self._opened is not None

    @property
    def opened(self) -> OpenedMailbox:
        if self._opened is None:
            raise bad("Authenticate first")
        return self._opened

    @opened.setter
    def opened(self, opened: OpenedMailbox) -> None:
        self._opened = opened
        if self._homes is None:
            self._homes = Homes(self.access, opened)

    @property
    def homes(self) -> Homes:
        if self._homes is None:
            raise bad("Authenticate first")
        return self._homes

    async def renew_quota(self, home: Home) -> None:
        """Renews the quota of a mailbox, as its owner has it. Commands that fill the mailbox or tell its quota call it first."""
        if home.owner is None:
            self.opened = await renewed(self.access, self.opened)
        else:
            await home.mailboxes.logon(home.mailbox, home.owner.quota or self.access.limits.mailbox_quota)

    @property
    def selected(self) -> FolderView:
        if self.view is None:
            raise bad("No mailbox selected")
        return self.view

    def require_authenticated(self) -> None:
        """Raises BAD before authentication."""
        assert self.opened is not None

    def require_selected(self) -> None:
        """Raises BAD without a selected folder."""
        assert self.selected is not None

    def enable_condstore(self) -> None:
        """Enables CONDSTORE for the session. In a selected mailbox the client is told HIGHESTMODSEQ (RFC 7162 section 3.1)."""
        if self.condstore:
            return
        self.condstore = True
        if self.view is not None:
            self.send(b"OK [HIGHESTMODSEQ %d] Highest" % self.view.modseq)

    # Answers

    def send(self, data: bytes) -> None:
        """Sends an untagged answer. `data` is without its star and line end."""
        self.machine.send(b"* " + data + b"\r\n")

    def done(self, command: Command, text: str = "", code: bytes = b"", status: bytes = b"OK") -> None:
        """Sends the tagged answer."""
        self._poured = 0
        message = text.encode("utf-8", "replace") or command.name.encode() + b" completed"
        self.machine.send(
            command.tag + b" " + status + b" " + (b"[" + code + b"] " if code else b"") + message + b"\r\n"
        )

    def mailbox(self, name: str) -> bytes:
        return responses.mailbox(name, self.utf8)

    def tell_name(self, path: Path, old: str) -> None:
        """Tells an IMAP4rev2 client by OLDNAME what a name has become (RFC 9051 section 6.3.9.7), unless it is the same."""
        name = "/".join(path)
        if self.rev2 and name != old:
            self.send(b'LIST () "/" ' + self.mailbox(name) + b' ("OLDNAME" (' + self.mailbox(old) + b"))")

    async def pour(self, pieces: Iterable[bytes]) -> None:
        """Sends an answer's pieces. A small answer leaves in one write with the tagged line; a large one goes past the
        machine, and waits while the peer does not read."""
        data = b"".join(pieces)
        self.machine.send(data)
        self._poured += len(data)
        if self._poured > SMALL:
            await self.drain()

    async def drain(self) -> None:
        """Writes the answers so far, and waits while the peer does not read. Raises ConnectionAbortedError after
        `limits.idle_timeout` seconds of waiting, and ConnectionResetError if the peer is gone."""
        self._poured = 0
        link = self.link
        if link is None or link.is_closed:
            raise ConnectionResetError("the peer is gone")
        link.write(self.machine.outgoing())
        if link.congested:
            try:
                async with asyncio.timeout(self.access.limits.idle_timeout):
                    await link.drained()
            except TimeoutError:
                raise ConnectionAbortedError("the peer does not read") from None

    async def pour_long(self, pieces: Iterable[bytes | memoryview]) -> None:
        """Sends an answer that is too long to be made at once: each piece when the peer has taken the former ones, and the
        other sessions come in between."""
        for piece in pieces:
            view = memoryview(piece)
            for at in range(0, len(view), PIECE):
                part = view[at : at + PIECE]
                self.machine.send(part)
                self._poured += len(part)
                if self._poured >= PIECE:
                    await self.drain()
                    await asyncio.sleep(0)

    # Folders

    async def own_places(self) -> list[Place]:
        places = await self.homes.places(self.homes.own)
        self.paths = {place.path: place.folder.id for place in places}
        return places

    async def place(self, name: str) -> Place:
        """Returns a folder by its name, with the user's rights in it. Raises NO [NONEXISTENT] for one that is not there, or that
        the user may not know of."""
        home, path = await self.homes.of(path_of(name))
        folder = await self._folder(home, path)
        place = placed(home, folder, await self.homes.rights(home)) if folder is not None else None
        if place is None:
            raise nonexistent()
        return place

    async def _folder(self, home: Home, path: Path) -> Folder | None:
        """Returns a folder of a mailbox, from a fresh list if the remembered id no longer has that name."""
        folder_id = self.paths.get(home.prefix + path)
        if folder_id is not None:
            try:
                folder = await home.mailboxes.folder(home.mailbox, folder_id)
                if folder.path == path:
                    return folder
            except MailboxError as error:
                if error.code != "NONEXISTENT":
                    raise
        folders = await home.mailboxes.folders(home.mailbox)
        if home.is_own:
            self.paths = {}
        self.paths |= {home.prefix + folder.path: folder.id for folder in folders}
        return next((folder for folder in folders if folder.path == path), None)

    async def owner_of(self, home: Home) -> Recipient:
        """Returns the owner of a mailbox as the directory has it."""
        owner = home.owner or await self.access.sharing.mailbox(self.opened.address)
        if owner is None:
            raise no("The directory does not have the owner of the mailbox", "UNAVAILABLE")
        return owner

    # The selected folder

    def has_selected(self, place: Place) -> bool:
        view = self.view
        return view is not None and view.home.mailbox == place.home.mailbox and view.folder.id == place.folder.id

    async def rights_now(self, view: FolderView) -> Right:
        return (await self.homes.rights(view.home)).in_folder(view.folder.id, view.folder.kind)

    async def renew_rights(self) -> None:
        """Asks again what the user may do in the selected folder, if somebody else owns it. Raises Revoked."""
        view = self.view
        if view is None or view.home.is_own:
            return
        rights = await self.rights_now(view)
        if rights == view.rights:
            return
        if Right.READ_ANY not in rights:
            raise Revoked
        view.grant(rights)
        self.tell_known_flags()

    async def loaded(self) -> FolderView:
        """The selected folder's view with its UIDs."""
        view = self.selected
        if not view.loaded:
            mailboxes, mailbox = view.home.mailboxes, view.home.mailbox
            now = await mailboxes.index(mailbox, view.folder.id)
            since = None
            if now.highest_modseq != view.modseq:
                since = await mailboxes.index(mailbox, view.folder.id, view.modseq)
            view.load(now, since)
        return view

    async def slices(self, ranges: Ranges, by_uid: bool) -> list[Slice]:
        """The positions of a sequence set, "$" included."""
        view = await self.loaded()
        if ranges == SAVED:
            return view.of_uids(self.saved)
        slices = view.slices(ranges, by_uid)
        if slices is None:
            raise bad("Message number out of range")
        return slices

    async def refresh(self, expunges: bool, changed: bool = False) -> None:
        """Looks at the store and tells what changed: EXISTS and flags now, EXPUNGE only where the command allows it (RFC 9051
        section 7.5.1: never during FETCH, STORE or SEARCH, and not without a command). `changed`: the store is known to have
        changed."""
        view = self.selected
        if not view.loaded and not changed:
            folder = await view.home.mailboxes.folder(view.home.mailbox, view.folder.id)
            if folder.highest_modseq == view.modseq:
                return
        index = await self._look(view)
        if not view.loaded:
            arrived = view.apply_unloaded(index)
            if arrived is not None:
                self._tell_arrived(view, arrived, index)
                return
            view.claim(*index.recent)
            await self.loaded()
            index = await self._look(view)
        changes = view.apply(index)
        if changes.flagged:
            await self.tell_flags(changes.flagged)
        if expunges and view.vanished:
            gone, view.vanished = view.vanished, []
            self.tell_expunged(gone)
        self._tell_arrived(view, changes.arrived, index)

    async def _look(self, view: FolderView) -> Index:
        """Returns what changed. New messages are recent to the first session that is told, and to no other but those that only
        examine (RFC 3501 section 2.3.2); so telling claims them."""
        mailboxes, mailbox, since = view.home.mailboxes, view.home.mailbox, view.modseq
        if self.rev2:
            return await mailboxes.index(mailbox, view.folder.id, since)
        return await mailboxes.look(mailbox, view.folder.id, since, view.next_uid, view.claims_recent)

    def _tell_arrived(self, view: FolderView, arrived: Sequence[int], index: Index) -> None:
        if not arrived:
            return
        self.send(b"%d EXISTS" % view.count)
        if not self.rev2:
            view.claim(*index.recent)
            view.count_recent(arrived)
            self.send(b"%d RECENT" % view.recent_count)

    def tell_expunged(self, uids: Sequence[int]) -> None:
        view = self.selected
        self.machine.send(b"".join([b"* %d EXPUNGE\r\n" % number for number in view.expunge(uids)]))

    async def tell_flags(self, positions: Sequence[int], with_uid: bool = False) -> None:
        """Sends untagged FETCH answers with the flags of these positions, and mod-sequences once CONDSTORE is on."""
        view = self.selected
        uids = [view.uids[at] for at in positions]
        texts = await self.flag_texts(uids, [view.flags[at] for at in positions])
        numbers = [at + 1 for at in positions]
        if self.condstore:
            slices = view.of_uids(uids)
            await self._tell_modseqs(dict(zip(uids, texts, strict=True)), slices)
        elif with_uid:
            rows = zip(numbers, uids, texts, strict=True)
            self.machine.send(b"".join([b"* %d FETCH (UID %d FLAGS %b)\r\n" % row for row in rows]))
        else:
            pairs = zip(numbers, texts, strict=True)
            self.machine.send(b"".join([b"* %d FETCH (FLAGS %b)\r\n" % pair for pair in pairs]))

    async def _tell_modseqs(self, texts: dict[int, bytes], slices: list[Slice]) -> None:
        view = self.selected
        answer = await view.home.mailboxes.fetch(
            view.home.mailbox, view.folder.id, view.uid_ranges(slices), Column.MODSEQ
        )
        rows = zip(view.numbers(answer.uids, slices), answer.uids, answer.modseqs, strict=True)
        self.machine.send(
            b"".join(
                [
                    b"* %d FETCH (UID %d MODSEQ (%d) FLAGS %b)\r\n" % (number, uid, modseq, texts[uid])
                    for number, uid, modseq in rows
                ]
            )
        )

    async def flag_texts(self, uids: Sequence[int], flag_words: Sequence[int]) -> list[bytes]:
        """Returns flag words as names in parentheses. Keywords that others added since are looked up first."""
        await self.know_keywords(flag_words)
        return self.texts(uids, flag_words)

    async def know_keywords(self, flag_words: Sequence[int]) -> None:
        """Learns the names of keyword bits that came into use after the folder was selected."""
        view = self.selected
        high = max(flag_words, default=0)
        if high.bit_length() > KEYWORD_BASE + len(view.folder.keywords):
            view.folder = await view.home.mailboxes.folder(view.home.mailbox, view.folder.id)
            view.flag_texts.clear()
            self.tell_known_flags()

    def texts(self, uids: Sequence[int], flag_words: Sequence[int]) -> list[bytes]:
        view = self.selected
        cached = view.flag_texts
        for word in set(flag_words):
            if word not in cached:
                if len(cached) > 4096:
                    cached.clear()
                cached[word] = b"(" + b" ".join(responses.flag_names(word, view.folder.keywords)) + b")"
        plain = [cached[word] for word in flag_words]
        if view.recent and not self.rev2:
            for at, uid in enumerate(uids):
                if view.is_recent(uid):
                    plain[at] = plain[at].replace(b")", b" \\Recent)") if plain[at] != b"()" else b"(\\Recent)"
        return plain

    def tell_known_flags(self) -> None:
        """Sends FLAGS, and PERMANENTFLAGS with those that the user may change (RFC 4314 section 5.1.1)."""
        view = self.selected
        keywords = [name.encode("ascii", "replace") for name in view.folder.keywords]
        self.send(b"FLAGS (" + b" ".join([responses.ALL_SYSTEM_FLAGS, *keywords]) + b")")
        permanent: list[bytes] = []
        if not view.read_only:
            permanent = [name for flag, name in responses.SYSTEM_FLAGS if view.settable & flag]
            if view.settable >> KEYWORD_BASE:
                permanent += keywords
                if len(keywords) < MAX_KEYWORDS:  # RFC 9051 section 7.1: "\*" says that new keywords can be made
                    permanent.append(b"\\*")
        self.send(b"OK [PERMANENTFLAGS (" + b" ".join(permanent) + b")] Flags permitted")


def path_of(name: str) -> Path:
    """Returns a name's levels. Raises NO for a name that no folder can have."""
    path = tuple(name.split("/"))
    if not all(path) or len(path) > 32 or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise no("Mailbox name is not valid", "CANNOT")
    return path
