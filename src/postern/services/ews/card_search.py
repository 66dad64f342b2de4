"""Looks for the cards of a folder whose names or addresses begin with a text, as the directory's search of names does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from functools import partial
from typing import NamedTuple

from postern.items import contact
from postern.items.contact import RenderedContact
from postern.model.folders import Right
from postern.net.turns import turns_of
from postern.services.ews.access import Call
from postern.services.ews.contact_editor import card_of
from postern.services.ews.correspondents import Correspondent
from postern.services.ews.item_view import PAGE, ItemView, Need, load
from postern.services.ews.list_editor import correspondent_of
from postern.services.ews.places import Place
from postern.services.scheduling.aside import aside

MAX_CARDS = 5_000
"""Cards of a folder that one search reads: those after them are not found."""
MAX_TEXT = 256
"""Characters of a text that is looked for."""
MAX_WORDS = 5


class FoundCard(NamedTuple):
    """A card that matches: the number of its item, who it is, and the values by which it was found."""

    number: int
    who: Correspondent
    rendered: RenderedContact


class _Names(NamedTuple):
    """The texts of a card that a search compares: its names, word by word, and its addresses."""

    names: tuple[str, ...]
    addresses: tuple[str, ...]

    def begin(self, text: str) -> bool:
        """Whether each word of a text begins a name, or the text an address. MAX_WORDS words of it count."""
        parts = text.split()[:MAX_WORDS]
        if any(address.startswith(text) for address in self.addresses):
            return True
        return bool(parts) and all(any(name.startswith(part) for name in self.names) for part in parts)


async def cards(call: Call, place: Place) -> AsyncIterator[tuple[ItemView, RenderedContact]]:
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
            yield view, await aside(view.content or b"", partial(_rendered, view))
        await turns_of(asyncio.get_running_loop()).come()


def _rendered(view: ItemView) -> RenderedContact:
    return contact.render(card_of(view))


async def search(call: Call, place: Place, texts: Collection[str], most: int) -> dict[str, list[FoundCard]]:
    """Up to `most` cards of a folder for each text that they match; the cards are read once for all texts."""
    matching: dict[str, list[FoundCard]] = {text: [] for text in texts}
    wanted = [(text, text[:MAX_TEXT].casefold()) for text in matching]
    async for view, rendered in cards(call, place):
        nickname = card_of(view).card.text("NICKNAME")
        names = " ".join((rendered.name, rendered.first, rendered.family, nickname, rendered.organization))
        folded = _Names(
            tuple(names.casefold().replace(",", " ").split()), tuple([each.casefold() for each in rendered.emails])
        )
        for text, folded_text in wanted:
            if folded.begin(folded_text) and len(matching[text]) < most:
                matching[text].append(FoundCard(view.stored.id, correspondent_of(view), rendered))
    return matching
