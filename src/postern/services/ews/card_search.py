"""Looks for the cards of a folder whose names or addresses begin with a text, as the directory's search of names does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from postern.items import contact
from postern.items.contact import Contact, RenderedContact
from postern.model.folders import Right
from postern.net.turns import turns_of
from postern.services.ews.access import Call
from postern.services.ews.contact_editor import card_of
from postern.services.ews.item_view import PAGE, ItemView, Need, load
from postern.services.ews.places import Place

MAX_CARDS = 5_000
"""Cards of a folder that one search reads: those after them are not found."""
MAX_TEXT = 256
"""Characters of a text that is looked for."""
MAX_WORDS = 5
AT_ONCE = 65_536
"""Octets of a card that is read in the loop; larger ones are read in a thread."""


class FoundCard(NamedTuple):
    """A card that matches, and the values by which it does."""

    view: ItemView
    rendered: RenderedContact


def matches(rendered: RenderedContact, nickname: str, text: str) -> bool:
    """Whether each word of a text begins a name of the card, or the text begins an address. At most MAX_WORDS words in MAX_TEXT
    characters count."""
    wanted = text[:MAX_TEXT].casefold()
    parts = wanted.split()[:MAX_WORDS]
    if not parts:
        return False
    if any(address.casefold().startswith(wanted) for address in rendered.emails):
        return True
    names = " ".join((rendered.name, rendered.first, rendered.family, nickname, rendered.organization))
    beginnings = names.casefold().replace(",", " ").split()
    return all(any(name.startswith(part) for name in beginnings) for part in parts)


async def cards(call: Call, place: Place) -> AsyncIterator[FoundCard]:
    """The cards of a folder, in the order in which they came; at most MAX_CARDS. Raises EwsError, MailboxError."""
    mailbox, seen = place.mailbox, 0
    mailbox.demand(place.node, Right.READ_ANY)
    after = ""
    while seen < MAX_CARDS:
        page = await mailbox.store.resources(mailbox.id, place.node.id, after, PAGE)
        if not page.ids:
            return
        after = page.names[-1]
        seen += len(page.ids)
        for view in await load(call, mailbox, list(page.ids), Need.CONTENT):
            yield FoundCard(view, await _rendered(view))
        await turns_of(asyncio.get_running_loop()).come()


async def _rendered(view: ItemView) -> RenderedContact:
    if len(view.content or b"") > AT_ONCE:
        return await asyncio.to_thread(lambda: contact.render(card_of(view)))
    return contact.render(card_of(view))


async def search(call: Call, place: Place, text: str, most: int) -> Sequence[FoundCard]:
    """Up to `most` cards of a folder that match a text."""
    matching: list[FoundCard] = []
    async for each in cards(call, place):
        card: Contact = card_of(each.view)
        if matches(each.rendered, card.card.text("NICKNAME"), text):
            matching.append(each)
            if len(matching) >= most:
                break
        else:
            each.view.parsed.clear()
    return matching
