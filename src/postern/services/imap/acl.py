"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 section 3).

An identifier is the address of a user or of a group, "anyone" for all who are logged on, or "anonymous". Of several entries that
are for a user, the most specific one counts alone: the user's own, those of the user's groups, that of "anyone".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from postern.model.directory import RecipientType
from postern.model.domains import fold
from postern.model.folders import ANONYMOUS, EVERYBODY, Right
from postern.protocols.imap import responses
from postern.protocols.imap.acl import ALL_LETTERS, changed, letters_of, optional_rights
from postern.protocols.imap.commands import OnIdentifier, OnMailbox, SetAcl
from postern.services.imap.failures import bad, no
from postern.services.imap.homes import Place
from postern.services.imap.state import ImapState
from postern.trust.passwords.saslprep import saslprep

SPECIAL = {"anyone": EVERYBODY, "anonymous": ANONYMOUS}
"""Identifiers that are no addresses. RFC 4314 has "anyone"; RFC 4505 calls "anonymous" those who prove nothing."""


async def set_acl(state: ImapState, command: SetAcl) -> None:
    place = await _administered(state, command.mailbox)
    grantee = await _grantee(state, place, command.identifier)
    before = (await place.home.tree.rights(place.home.mailbox, place.folder.id)).get(grantee, Right(0))
    granted = changed(before, command.sign, command.letters)
    await state.access.sharing.set_rights(await state.owner_of(place.home), place.folder.id, grantee, granted.rights)
    text = f"Not granted: {granted.left_out} (s and w, t and e, x and a go together)" if granted.left_out else ""
    state.done(command, text)


async def delete_acl(state: ImapState, command: OnIdentifier) -> None:
    """An entry of somebody whom the directory no longer has is removed by the id that GETACL shows."""
    place = await _administered(state, command.mailbox)
    entries = await place.home.tree.rights(place.home.mailbox, place.folder.id)
    shown = _id_of(command.identifier)
    grantee = shown if shown in entries else await _grantee(state, place, command.identifier)
    await state.access.sharing.set_rights(await state.owner_of(place.home), place.folder.id, grantee, None)
    state.done(command)


async def get_acl(state: ImapState, command: OnMailbox) -> None:
    """The owner comes first, with all rights: they are no entry, and nobody can change them."""
    place = await _administered(state, command.mailbox)
    owner = await state.owner_of(place.home)
    entries = await place.home.tree.rights(place.home.mailbox, place.folder.id)
    names = await _names(state, entries)
    pairs = [responses.astring(owner.primary) + b" " + ALL_LETTERS.encode()]
    for grantee, rights in sorted(entries.items(), key=lambda entry: names[entry[0]]):
        pairs.append(responses.astring(names[grantee]) + b" " + _letters(rights))
    state.send(b"ACL " + state.mailbox(place.name) + b" " + b" ".join(pairs))
    state.done(command)


async def list_rights(state: ImapState, command: OnIdentifier) -> None:
    """The identifier is answered as the client wrote it (RFC 4314 section 3.4)."""
    place = await _administered(state, command.mailbox)
    told = [state.mailbox(place.name), responses.astring(command.identifier)]
    if await _recipient_id(state, command.identifier) == place.home.mailbox:
        told.append(ALL_LETTERS.encode())
    else:
        told += [b'""', *(letters.encode() for letters in optional_rights())]
    state.send(b"LISTRIGHTS " + b" ".join(told))
    state.done(command)


async def my_rights(state: ImapState, command: OnMailbox) -> None:
    place = await state.place(command.mailbox)
    state.send(told_rights(state, place))
    state.done(command)


def told_rights(state: ImapState, place: Place) -> bytes:
    """The MYRIGHTS response (RFC 4314 section 3.8), which LIST may have too (RFC 8440)."""
    return b"MYRIGHTS " + state.mailbox(place.name) + b" " + _letters(place.rights)


def _letters(rights: Right) -> bytes:
    return letters_of(rights).encode() or b'""'


async def _administered(state: ImapState, name: str) -> Place:
    place = await state.place(name)
    place.require(Right.OWNER)
    return place


async def _grantee(state: ImapState, place: Place, identifier: str) -> UUID:
    """Returns the one whose entry an identifier names. Raises NO for the owner, who has no entry."""
    grantee = await _recipient_id(state, identifier)
    if grantee == place.home.mailbox:
        raise no("The owner of the mailbox always has all rights", "CANNOT")
    return grantee


async def _recipient_id(state: ImapState, identifier: str) -> UUID:
    """Returns the directory id of a user or group, or what stands for anyone. Raises BAD where SASLprep fails (RFC 4314 section
    3), and NO for a name that nobody has."""
    try:
        prepared = saslprep(identifier)
    except ValueError as error:
        raise bad(f"The identifier is no name: {error}") from None
    if not prepared:
        raise bad("Identifier expected")
    if prepared.startswith("-"):
        raise no("There are no negative rights here: an entry without rights denies what anyone is granted", "CANNOT")
    if prepared.lower() in SPECIAL:
        return SPECIAL[prepared.lower()]
    directory = state.access.directory
    recipient = await directory.recipient(fold(prepared))
    if recipient is None:
        account = await directory.account(prepared)
        recipient = await directory.recipient(account.recipient) if account is not None and account.recipient else None
    if recipient is None or recipient.type is RecipientType.CONTACT:
        raise no("There is no user or group of that name", "CANNOT")
    return recipient.guid


async def _names(state: ImapState, grantees: Collection[UUID]) -> Mapping[UUID, str]:
    """Returns the identifiers of grantees: those that the directory does not have by their ids."""
    names = {special: name for name, special in SPECIAL.items()} | await state.access.sharing.addresses(grantees)
    return {grantee: names.get(grantee, str(grantee)) for grantee in grantees}


def _id_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
