"""STORE, COPY, MOVE and APPEND (RFC 9051 sections 6.4.6 to 6.4.8 and 6.3.12; CONDSTORE, UIDPLUS, MULTIAPPEND).

An APPEND to the Outbox is a submission: the item is stored, then marked as ready for the Mail Submission Service.
"""

from __future__ import annotations

from postern.model.folders import FolderKind, Right
from postern.model.items import KEYWORD_BASE, CopyResult, FlagChange, FlagResult, NewItem
from postern.protocols.imap.acl import EVERY_FLAG, settable
from postern.protocols.imap.commands import Append, Copy, Store
from postern.protocols.imap.responses import number_set
from postern.services.imap.copying import copied, word_of
from postern.services.imap.failures import CommandFailed, no
from postern.services.imap.homes import Place, refused
from postern.services.imap.state import ImapState
from postern.services.imap.view import FolderView


async def store(state: ImapState, command: Store) -> None:
    view = state.selected
    if view.read_only:
        raise no("Mailbox is read-only", "READ-ONLY")
    if command.unchanged_since is not None:
        state.enable_condstore()
    slices = await state.slices(command.messages, command.uid)
    if not slices:
        state.done(command)
        return
    result = await _change(view, command, view.uid_ranges(slices))
    await _tell(state, view, command, list(result.uids), list(result.flags), list(result.modseqs))
    if result.modified:
        numbers = result.modified if command.uid else [n + 1 for n in _positions(view, list(result.modified))]
        state.done(command, "Some were changed meanwhile", b"MODIFIED " + number_set(numbers))
        return
    state.done(command)


async def _change(view: FolderView, command: Store, ranges: list[tuple[int, int]]) -> FlagResult:
    """Changes those of the flags that the user may change. Raises NO if that is none of them (RFC 4314 section 4: else STORE
    should not fail, as clients do not expect it to)."""
    home, folder, flags = view.home, view.folder, command.flags
    may_set = view.settable
    adds = command.change is not FlagChange.REMOVE and bool(may_set >> KEYWORD_BASE)
    word = await word_of(home, folder, flags, adds)
    if may_set == EVERY_FLAG:
        return await home.mailboxes.change_flags(
            home.mailbox, folder.id, ranges, command.change, word, command.unchanged_since
        )
    if not may_set or (not word & may_set and (flags.bits or flags.keywords)):
        raise refused(view.rights)
    if command.change is not FlagChange.REPLACE:
        return await home.mailboxes.change_flags(
            home.mailbox, folder.id, ranges, command.change, word & may_set, command.unchanged_since
        )
    cleared = await home.mailboxes.change_flags(
        home.mailbox, folder.id, ranges, FlagChange.REMOVE, may_set & ~word, command.unchanged_since
    )
    passed = view.uid_ranges(view.of_uids(cleared.uids))
    result = await home.mailboxes.change_flags(home.mailbox, folder.id, passed, FlagChange.ADD, word & may_set)
    return FlagResult(result.uids, result.flags, result.modseqs, cleared.modified)


async def _tell(
    state: ImapState, view: FolderView, command: Store, uids: list[int], flag_words: list[int], modseqs: list[int]
) -> None:
    """Sends the untagged answers: flags unless SILENT, mod-sequences once CONDSTORE is on (RFC 7162 section 3.1.3)."""
    texts = await state.flag_texts(uids, flag_words)
    lines: list[bytes] = []
    for uid, word, modseq, text in zip(uids, flag_words, modseqs, texts, strict=True):
        at = view.position(uid)
        if at is None:
            continue
        view.flags[at] = word
        items = [b"UID %d" % uid] if command.uid else []
        if state.condstore:
            items.append(b"MODSEQ (%d)" % modseq)
        if not command.silent:
            items.append(b"FLAGS " + text)
        if not command.silent or state.condstore:
            lines.append(b"* %d FETCH (" % (at + 1) + b" ".join(items) + b")\r\n")
    state.machine.send(b"".join(lines))


def _positions(view: FolderView, uids: list[int]) -> list[int]:
    return [at for uid in uids if (at := view.position(uid)) is not None]


async def copy(state: ImapState, command: Copy) -> None:
    """COPY and MOVE. MOVE answers COPYUID before the EXPUNGEs (RFC 6851 section 4.3), and needs the rights to remove what it
    moves (section 4.1)."""
    view = state.selected
    move = command.name.endswith("MOVE")
    if move:
        if view.read_only:
            raise no("Mailbox is read-only", "READ-ONLY")
        view.require(Right.DELETE_ANY)
    slices = await state.slices(command.messages, command.uid)
    if not slices:
        state.done(command, "Nothing to do")
        return
    target = await _target(state, command.mailbox)
    is_same = target.home.mailbox == view.home.mailbox
    if not move or not is_same:
        await state.renew_quota(target.home)
    result = await copied(state, view, slices, target, move)
    code = _copyuid(result) if len(result.sources) else b""
    if not move:
        if is_same and target.folder.id == view.folder.id:
            await state.refresh(expunges=False)
        state.done(command, code=code)
        return
    if code:
        state.send(b"OK [" + code + b"] Moved")
    view.vanish(result.sources)
    await state.refresh(expunges=True)
    state.done(command)


def _copyuid(result: CopyResult) -> bytes:
    return b"COPYUID %d %b %b" % (result.uid_validity, number_set(result.sources), number_set(result.targets))


async def _target(state: ImapState, name: str) -> Place:
    """The folder to put messages in; NO [TRYCREATE] if there is none (RFC 9051 section 6.3.12)."""
    try:
        place = await state.place(name)
        place.require(Right.CREATE)
    except CommandFailed as error:
        if error.code == "NONEXISTENT":
            raise no("Mailbox doesn't exist", "TRYCREATE") from None
        raise
    return place


async def append(state: ImapState, command: Append) -> None:
    state.require_authenticated()
    if any(not message.content for message in command.messages):
        raise no("Message is empty")  # RFC 3502 section 6.3.11: an empty literal takes the append back
    place = await _target(state, command.mailbox)
    home, folder, may_set = place.home, place.folder, settable(place.rights)
    items = [
        NewItem(
            message.content,
            await word_of(home, folder, message.flags, bool(may_set >> KEYWORD_BASE)) & may_set,
            message.internal_date,
        )
        for message in command.messages
    ]
    await state.renew_quota(home)
    result = await home.mailboxes.append(home.mailbox, folder.id, items)
    if folder.kind is FolderKind.OUTBOX:
        for uid in result.targets:
            await home.mailboxes.submit(home.mailbox, uid)
    if state.has_selected(place):
        await state.renew_rights()
        await state.refresh(expunges=True, changed=True)
    state.done(command, code=b"APPENDUID %d %b" % (result.uid_validity, number_set(result.targets)))
