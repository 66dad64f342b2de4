"""STORE, COPY, MOVE and APPEND (RFC 9051 sections 6.4.6 to 6.4.8 and 6.3.12; CONDSTORE, UIDPLUS, MULTIAPPEND).

An APPEND to the Outbox is a submission: the item is stored, then marked as ready for the Mail Submission Service.
"""

from __future__ import annotations

from postern.model.folders import Folder, FolderKind
from postern.model.items import KEYWORD_BASE, CopyResult, FlagChange, NewItem
from postern.protocols.imap.commands import Append, Copy, NamedFlags, Store
from postern.protocols.imap.responses import number_set
from postern.services.imap.state import CommandFailed, ImapState, no
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
    word = await _word(state, view.folder, command.flags, command.change is not FlagChange.REMOVE)
    result = await state.opened.mailboxes.change_flags(
        state.opened.mailbox,
        view.folder.id,
        view.uid_ranges(slices),
        command.change,
        word,
        command.unchanged_since,
    )
    await _tell(state, view, command, list(result.uids), list(result.flags), list(result.modseqs))
    if result.modified:
        numbers = result.modified if command.uid else [n + 1 for n in _positions(view, list(result.modified))]
        state.done(command, "Some were changed meanwhile", b"MODIFIED " + number_set(numbers))
        return
    state.done(command)


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


async def _word(state: ImapState, folder: Folder, flags: NamedFlags, create: bool) -> int:
    """Returns the flag word of names in a folder. With `create` a keyword that is new to the folder is added to it."""
    word = flags.bits
    if not flags.keywords:
        return word
    keywords = {name.lower(): 1 << (KEYWORD_BASE + i) for i, name in enumerate(folder.keywords)}
    if all(name.lower() in keywords for name in flags.keywords):
        for name in flags.keywords:
            word |= keywords[name.lower()]
        return word
    return word | await state.opened.mailboxes.keywords(state.opened.mailbox, folder.id, flags.keywords, create)


async def copy(state: ImapState, command: Copy) -> None:
    """COPY and MOVE. MOVE answers COPYUID before the EXPUNGEs (RFC 6851 section 4.3)."""
    view = state.selected
    move = command.name.endswith("MOVE")
    if move and view.read_only:
        raise no("Mailbox is read-only", "READ-ONLY")
    slices = await state.slices(command.messages, command.uid)
    if not slices:
        state.done(command, "Nothing to do")
        return
    target = (await _target(state, command.mailbox)).id
    if not move:
        await state.renew_quota()
    result = await state.opened.mailboxes.copy(
        state.opened.mailbox, view.folder.id, view.uid_ranges(slices), target, move
    )
    code = _copyuid(result) if len(result.sources) else b""
    if not move:
        if target == view.folder.id:
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


async def _target(state: ImapState, name: str) -> Folder:
    """The folder to put messages in; NO [TRYCREATE] if there is none (RFC 9051 section 6.3.12)."""
    try:
        return await state.folder(name)
    except CommandFailed as error:
        if error.code == "NONEXISTENT":
            raise no("Mailbox doesn't exist", "TRYCREATE") from None
        raise


async def append(state: ImapState, command: Append) -> None:
    state.require_authenticated()
    if any(not message.content for message in command.messages):
        raise no("Message is empty")  # RFC 3502 section 6.3.11: an empty literal takes the append back
    folder = await _target(state, command.mailbox)
    items = [
        NewItem(message.content, await _word(state, folder, message.flags, True), message.internal_date)
        for message in command.messages
    ]
    await state.renew_quota()
    result = await state.opened.mailboxes.append(state.opened.mailbox, folder.id, items)
    if folder.kind is FolderKind.OUTBOX:
        for uid in result.targets:
            await state.opened.mailboxes.submit(state.opened.mailbox, uid)
    if state.view is not None and state.view.folder.id == folder.id:
        await state.refresh(expunges=True, changed=True)
    state.done(command, code=b"APPENDUID %d %b" % (result.uid_validity, number_set(result.targets)))
