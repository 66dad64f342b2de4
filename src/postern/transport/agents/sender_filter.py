"""The sender filter: refuses blocked senders and domains, in MAIL FROM and in From, and mail that has no sender at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from postern.model.domains import a_labels, fold
from postern.protocols.authentication.header import Field, addresses, named
from postern.protocols.smtp.reply import Reply
from postern.telemetry.attempts import attempt
from postern.transport.agents.agent import FAILS_AT_END, Agent, IncomingMail, Stranger
from postern.transport.agents.settings import setting

_BLOCKED = Reply(550, "5.7.1", "This sender may not send mail here")
_BLANK = Reply(550, "5.7.1", "Mail without a sender is not taken")


def checked_sender(text: str) -> str:
    """ "spam@example.net", "example.net" or "*.example.net". Raises ValueError."""
    word = text.strip().lower()
    local, at, domain = word.rpartition("@")
    if not domain or " " in word or (at and not local) or "@" in local or "*" in domain.removeprefix("*."):
        raise ValueError(f"'{text}' is neither an address nor a domain (spam@example.net, example.net, *.example.net)")
    return word


@dataclass(frozen=True, slots=True)
class SenderFilterSettings:
    block: tuple[str, ...] = setting((), "addresses, domains and *.domains that may not send", checked_sender)
    blank: bool = setting(
        False, "refuse mail with the null sender and a From that is empty (reports of other servers have a From)"
    )


class Addresses:
    """Addresses, domains and domains with all that is below them, made for being asked often."""

    def __init__(self, items: Iterable[str]) -> None:
        items = [fold(item) if "@" in item else a_labels(item) for item in items]
        self._exact = frozenset(item for item in items if not item.startswith("*."))
        self._below = frozenset(item[2:] for item in items if item.startswith("*."))

    def __bool__(self) -> bool:
        return bool(self._exact or self._below)

    def holds(self, address: str) -> bool:
        address = fold(address)
        domain = address.rpartition("@")[2]
        if address in self._exact or domain in self._exact:
            return True
        while self._below and domain:
            if domain in self._below:
                return True
            domain = domain.partition(".")[2]
        return False


class SenderFilter(Agent[SenderFilterSettings]):
    """Refuses blocked senders at two moments: by MAIL FROM, and by the From that a reader sees."""

    name = "sender-filter"
    says = "blocked senders and domains, mail without a sender"
    doubt = FAILS_AT_END
    settings_type = SenderFilterSettings

    def __init__(self, settings: SenderFilterSettings) -> None:
        super().__init__(settings)
        self._block = Addresses(settings.block)

    def at_mail(self, client: Stranger, sender: str) -> Reply | None:
        return None if client.is_allowed else self.mail(sender)

    async def at_end(self, mail: IncomingMail) -> Reply | None:
        with attempt(mail.key):
            reply = self.header(mail.sender, mail.fields)
        mail.note(self, "refused" if reply is not None else "passed")
        return reply

    def mail(self, sender: str) -> Reply | None:
        """Judges the sender at MAIL FROM."""
        return _BLOCKED if sender and self._block.holds(sender) else None

    def header(self, sender: str, fields: Sequence[Field]) -> Reply | None:
        """Judges the sender that a reader sees, at the end of the message."""
        authors = addresses([field.value for field in named(fields, "from")])
        if any(map(self._block.holds, authors)):
            return _BLOCKED
        return _BLANK if self.settings.blank and not sender and not authors else None
