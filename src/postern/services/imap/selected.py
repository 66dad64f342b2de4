"""SELECT and what ends or refreshes it (RFC 9051 sections 6.3.2, 6.3.3, 6.3.13, 6.4.1 to 6.4.3; UNSELECT, UIDPLUS, CONDSTORE)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from postern.model.folders import Folder, Right
from postern.model.mailbox import MailboxError
from postern.model.search import SearchTerm
from postern.protocols.imap.commands import Command, Expunge, Select
from postern.services.access.changes import Watch
from postern.services.access.sharing import RIGHTS_SECONDS
from postern.services.imap.failures import no
from postern.services.imap.homes import Place
from postern.services.imap.state import REVOKED, ImapState, Revoked
from postern.services.imap.view import FolderView

GONE = b"[NONEXISTENT] The selected mailbox was deleted"
AGAIN = RIGHTS_SECONDS + 0.1
"""Seconds after a change, in IDLE, when the rights in another's folder are looked at once more."""
_WRITING = Right.CREATE | Right.EDIT_ANY | Right.DELETE_ANY
"""The rights i, s, w, t and e. The flags of s, w and t are shared by all who read the folder."""


async def select(state: ImapState, command: Select) -> None:
    """SELECT and EXAMINE: only the folder's counters are read, whatever its size. A folder in which the user may change nothing
    is read-only (RFC 4314 section 5.2)."""
    state.require_authenticated()
    if state.view is not None:
        state.view = None
        state.send(b"OK [CLOSED] Previous mailbox closed")  # RFC 7162 section 3.2.11
    state.saved = []
    if command.condstore:
        state.enable_condstore()
    place = await state.place(command.mailbox)
    place.require(Right.READ_ANY)
    read_only = command.name == "EXAMINE" or not place.rights & _WRITING
    folder, recent, count = await _recent(state, place, read_only)
    state.view = FolderView(place._replace(folder=folder), read_only, recent, count)
    state.tell_known_flags()
    state.send(b"%d EXISTS" % folder.messages)
    if not state.rev2:
        state.send(b"%d RECENT" % count)
        await _tell_unseen(state, place)
    state.send(b"OK [UIDVALIDITY %d] UIDs valid" % folder.uid_validity)
    state.send(b"OK [UIDNEXT %d] Predicted next UID" % folder.uid_next)
    state.send(b"OK [HIGHESTMODSEQ %d] Highest" % folder.highest_modseq)
    if state.rev2:  # RFC 9051 section 6.3.2
        name = place.name
        old = b' ("OLDNAME" (' + state.mailbox(command.written) + b"))" if command.written != name else b""
        state.send(b'LIST () "/" ' + state.mailbox(name) + old)
    code = b"READ-ONLY" if read_only else b"READ-WRITE"
    state.done(command, code=code)


async def _tell_unseen(state: ImapState, place: Place) -> None:
    """RFC 3501 section 6.3.1: the number of the first message that is not seen. RFC 9051 has dropped it. The store is asked only
    where the counters do not tell."""
    home, folder = place.home, place.folder
    if folder.unseen == folder.messages:
        first = 1 if folder.messages else 0
    else:
        first = folder.unseen and await home.mailboxes.first_unseen(home.mailbox, folder.id)
    if 0 < first <= folder.messages:
        state.send(b"OK [UNSEEN %d] First unseen" % first)


async def _recent(state: ImapState, place: Place, read_only: bool) -> tuple[Folder, list[tuple[int, int]], int]:
    """Returns the folder with the UIDs that are recent for this session (RFC 3501 section 2.3.2). SELECT claims them, EXAMINE
    only looks, and so does SELECT of another's folder."""
    folder = place.folder
    if state.rev2 or folder.recent_uid >= folder.uid_next:
        return folder, [], 0
    mailboxes, mailbox = place.home.mailboxes, place.home.mailbox
    if not read_only and place.home.is_own:
        folder = await mailboxes.folder(mailbox, folder.id, claim_recent=True)
    recent = (folder.recent_uid, folder.uid_next - 1)
    if recent[0] > recent[1]:
        return folder, [], 0
    uids = (await mailboxes.search(mailbox, folder.id, SearchTerm("uid", uids=(recent,)))).uids
    return folder, [recent] if uids else [], len(uids)


async def close(state: ImapState, command: Command) -> None:
    """CLOSE removes deleted messages silently, unless the folder was only examined or the user may not remove them (RFC 4314
    section 4)."""
    view = state.selected
    if not view.read_only and Right.DELETE_ANY in await state.rights_now(view):
        try:
            await view.home.mailboxes.expunge(view.home.mailbox, view.folder.id)
        except MailboxError as error:
            if error.code != "NONEXISTENT":  # a folder that was deleted meanwhile has nothing left to remove
                raise
    state.view = None
    state.done(command)


async def unselect(state: ImapState, command: Command) -> None:
    state.require_selected()
    state.view = None
    state.done(command)


async def expunge(state: ImapState, command: Command) -> None:
    view = state.selected
    if view.read_only:
        raise no("Mailbox is read-only", "READ-ONLY")
    view.require(Right.DELETE_ANY)
    ranges = None
    if isinstance(command, Expunge):
        ranges = view.uid_ranges(await state.slices(command.messages, True))
        if not ranges:
            state.done(command)
            return
    await state.loaded()
    gone = await view.home.mailboxes.expunge(view.home.mailbox, view.folder.id, ranges)
    view.vanish(gone)
    await state.refresh(expunges=True)
    state.done(command)


async def noop(state: ImapState, command: Command) -> None:
    if state.view is not None:
        await state.refresh(expunges=True)
    state.done(command)


async def check(state: ImapState, command: Command) -> None:
    state.require_selected()
    await noop(state, command)


async def is_gone(state: ImapState) -> bool:
    """Whether another session deleted the selected folder. Nothing can be asked of it then, and no answer takes a client
    out of it but BYE (RFC 2180 section 3.3)."""
    if state.view is None:
        return False
    try:
        await state.view.home.mailboxes.folder(state.view.home.mailbox, state.view.folder.id)
    except MailboxError as error:
        return error.code == "NONEXISTENT"
    return False


class Idle:
    """IDLE (RFC 9051 section 6.3.13): between "+" and DONE, changes are told as they come."""

    def __init__(self, state: ImapState, command: Command, change: int) -> None:
        self._state = state
        self._command = command
        self._again = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watch: Watch | None = None
        if state.view is not None:
            home = state.view.home
            self._watch = home.changes.watch(home.mailbox, change, self._changed)

    def _changed(self) -> None:
        """In another's folder it may be the rights that changed, and `sharing` may remember those of a moment ago: so they are
        looked at once more when it asks for them anew."""
        view = self._state.view
        if view is not None and not view.home.is_own and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(AGAIN, self._look_again)
        self._look()

    def _look_again(self) -> None:
        self._timer = None
        self._look()

    def _look(self) -> None:
        if self._task is not None:
            self._again = True
            return
        self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        try:
            again = True
            while again and self._state.view is not None:
                self._again = False
                await self._state.renew_rights()
                await self._state.refresh(expunges=True)
                await self._state.drain()
                again = self._again
        except (ConnectionError, asyncio.CancelledError):
            pass
        except Exception as error:
            # The folder is gone, or the mailbox does not answer: the client reconnects.
            if self._state.link is not None:
                self._state.send(b"BYE " + _farewell(error))
                self._state.link.write(self._state.machine.outgoing())
                self._state.link.close()
        finally:
            self._task = None

    def stop(self) -> None:
        """Stops listening, because the connection ended."""
        self._listen_no_more()
        if self._task is not None:
            self._task.cancel()

    def done(self) -> Awaitable[None] | None:
        """Ends IDLE after DONE, once the changes that are being told are told."""
        self._listen_no_more()
        if self._task is None:
            self._state.done(self._command)
            return None
        return self._finish(self._task)

    def _listen_no_more(self) -> None:
        if self._watch is not None:
            self._watch.close()
        if self._timer is not None:
            self._timer.cancel()

    async def _finish(self, task: asyncio.Task[None]) -> None:
        await task
        self._state.done(self._command)


def _farewell(error: Exception) -> bytes:
    if isinstance(error, Revoked):
        return REVOKED
    gone = isinstance(error, MailboxError) and error.code == "NONEXISTENT"
    return GONE if gone else b"[UNAVAILABLE] The mailbox does not answer"


async def begin_idle(state: ImapState, command: Command) -> Idle:
    """Tells what is new, then listens: the change number is read first, so that nothing falls in between."""
    state.require_authenticated()
    change = 0
    if state.view is not None:
        home = state.view.home
        change = (await home.mailboxes.logon(home.mailbox)).change
        await state.refresh(expunges=True)
    state.machine.idle()
    return Idle(state, command, change)
