"""The POP3 session on a mailbox's INBOX (RFC 1939): a snapshot at login, deletions only at QUIT, no lock.

The guard says what may be advertised and refused; `access.logon` opens the mailbox. Standards: RFC 1939,
2449 (CAPA), 2595 (STLS), 5034 (SASL), 3206 (response codes).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from postern.model.items import Flag, FlagChange
from postern.model.mailbox import MailboxError
from postern.model.security import Mechanism
from postern.paths.guard import Offer
from postern.protocols.pop3.machine import Command, Event, Invalid, Response, ServerMachine, top
from postern.services.access.logon import ClientAccess, OpenedMailbox, open_mailbox, open_with_password
from postern.services.conversation import Conversation, asking
from postern.services.pop3.maildrop import Maildrop, open_maildrop
from postern.trust.acceptor import Cause, Challenge, Failure, Granted, refused
from postern.trust.framing.sasl import AuthExchange, AuthTurn, encoded, names

CODES = {
    Cause.FAILED: "AUTH",
    Cause.UNSUPPORTED: "AUTH",
    Cause.PRIVACY: "SYS/PERM",
    Cause.UNAVAILABLE: "SYS/TEMP",
    Cause.CONTACT: "SYS/PERM",
}
"""RFC 3206."""
MAX_LOGIN_FAILURES = 5
AUTOLOGOUT = 600.0
"""Seconds; RFC 1939 section 3: at least ten minutes for a logged-on client."""
CAPABILITIES = [b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE NEVER"]


class Pop3Session(Conversation):
    """One connection to a door of the row pop3."""

    turned_away = b"-ERR [SYS/TEMP] Too many connections\r\n"

    def __init__(self, access: ClientAccess) -> None:
        super().__init__()
        self._access = access
        self._machine = ServerMachine()
        self._user = ""
        self._auth_exchange = AuthExchange(access.guard, access.authenticator, encoded=True)
        self._drop: Maildrop | None = None
        self._bad = 0
        self._failures = 0
        self.idle_timeout = access.limits.idle_timeout

    # Conversation

    def greet(self) -> None:
        self._machine.ok(f"{self._access.host} POP3 ready")

    def feed(self, data: bytes) -> None:
        self._machine.receive(data)

    def next_event(self) -> Event | None:
        return self._machine.next_event()

    def outgoing(self) -> bytes:
        return self._machine.outgoing()

    def timed_out(self) -> None:
        self._machine.err("Idle for too long", "SYS/TEMP")

    def revoked(self) -> None:
        """The session ends without the UPDATE state (RFC 1939 section 6): what was marked as deleted stays."""
        self._machine.err("The account may not be logged on any more", "SYS/PERM")

    def failed(self, error: BaseException) -> None:
        self._machine.err("Internal error", "SYS/TEMP")

    def ended(self) -> None:
        self._drop = None

    def handle(self, event: Event) -> Awaitable[None] | None:
        if isinstance(event, Invalid):
            self._auth_exchange.cancel()
            self._refuse(event.text)
            return None
        if isinstance(event, Response):
            return self._response(event)
        anywhere = _ANYWHERE.get(event.name)
        if anywhere is not None:
            return anywhere(self, event)
        if self._drop is None:
            handler = _AUTHORIZATION.get(event.name)
            return handler(self, event) if handler else self._refuse("Log in first")
        action = _TRANSACTION.get(event.name)
        if action is None:
            return self._refuse("Logged in already")
        if event.numbers and not self._there(self._drop, event.numbers[0]):
            return self._refuse("No such message")
        return action(self, event, self._drop)

    def _refuse(self, text: str) -> Awaitable[None] | None:
        """Answers -ERR. The answer to the last error that is allowed says that the connection ends."""
        self._bad += 1
        last = self._bad >= self._access.limits.errors_per_connection
        self._machine.err(f"{text}; too many errors, closing" if last else text)
        if last:
            self._close()
        return None

    # Any state

    def _offer(self) -> Offer:
        assert self.link is not None
        link = self.link
        return self._access.guard.offer(link.seal, can_upgrade=link.tls is not None)

    def _mechanisms(self, offer: Offer) -> tuple[str, ...]:
        return names(offer.mechanisms, self.link is not None and self.link.binds)

    def _capa(self, command: Command) -> None:
        """RFC 2449 section 5. No version in IMPLEMENTATION: a stranger need not know which bugs we have."""
        capabilities = list(CAPABILITIES)
        if self._drop is None:
            offer = self._offer()
            if offer.upgrade:
                capabilities.append(b"STLS")
            if not offer.login_disabled:
                capabilities.append(b"USER")
            if mechanisms := self._mechanisms(offer):
                capabilities.append(b"SASL " + " ".join(mechanisms).encode())
        capabilities.append(b"IMPLEMENTATION Postern")
        self._machine.lines("Capabilities", capabilities)

    def _quit(self, command: Command) -> Awaitable[None] | None:
        if self._drop is not None and (self._drop.deleted or self._drop.retrieved):
            return self._update(self._drop)
        self._machine.ok("Bye")
        self._close()
        return None

    async def _update(self, drop: Maildrop) -> None:
        """The UPDATE state (RFC 1939 section 6): retrieved messages become seen, deleted ones are removed."""
        mailboxes, mailbox = drop.mailboxes, drop.mailbox
        try:
            seen = drop.ranges(drop.retrieved - drop.deleted)
            if seen:
                await mailboxes.change_flags(mailbox, drop.folder, seen, FlagChange.ADD, Flag.SEEN)
            gone = drop.ranges(drop.deleted)
            if gone:
                await mailboxes.change_flags(mailbox, drop.folder, gone, FlagChange.ADD, Flag.DELETED)
                await mailboxes.expunge(mailbox, drop.folder, gone)
            self._machine.ok("Bye")
        except MailboxError:
            self._machine.err("Some deleted messages were not removed", "SYS/TEMP")
        self._close()

    # AUTHORIZATION

    def _stls(self, command: Command) -> Awaitable[None] | None:
        return self._upgrade() if self._offer().upgrade else self._refuse("TLS is not available now")

    async def _upgrade(self) -> None:
        """Everything that came in clear text behind STLS is dropped before the handshake (RFC 2595 section 4)."""
        assert self.link is not None
        self._machine.ok("Begin TLS negotiation")
        self.flush()
        self._machine.clear()
        self.drop_pending()
        self._user = ""
        try:
            await self.link.start_tls()
        except OSError:
            self.link.abort()

    def _user_name(self, command: Command) -> None:
        assert self.link is not None
        refusal = self._access.guard.check_mechanism(Mechanism.BASIC, self.link.seal)
        if refusal is not None:
            self._answer_login(refused(self._access.guard.door, refusal))
            return
        self._user = command.text
        self._machine.ok()  # the same whether or not there is such a user

    def _pass(self, command: Command) -> Awaitable[None] | None:
        if not self._user:
            return self._refuse("USER first")
        return self._log_in(command.text)

    async def _log_in(self, password: str) -> None:
        assert self.link is not None
        user, self._user = self._user, ""
        await self._finish(await open_with_password(self._access, self.link, user, password))

    def _auth(self, command: Command) -> Awaitable[None] | None:
        link = self.link
        assert link is not None
        if not command.text:  # the older form: a list of mechanisms
            self._machine.lines("Mechanisms", [name.encode() for name in self._mechanisms(self._offer())])
            return None
        return self._answer_turn(self._auth_exchange.begin(command.text, command.initial, asking(link)))

    def _response(self, event: Response) -> Awaitable[None]:
        return self._answer_turn(self._auth_exchange.respond(event.data))

    async def _answer_turn(self, turn: Awaitable[AuthTurn]) -> None:
        assert self.link is not None
        outcome = await turn
        if isinstance(outcome, Challenge):
            self._machine.challenge(encoded(outcome))
        elif isinstance(outcome, Granted):
            await self._finish(await open_mailbox(self._access, self.link, outcome.identity))
        elif outcome.cause is Cause.CANCELLED:
            self._refuse(outcome.text)
        else:
            self._answer_login(outcome)

    async def _finish(self, outcome: OpenedMailbox | Failure) -> None:
        if isinstance(outcome, OpenedMailbox):
            try:
                self._drop = await open_maildrop(outcome.mailboxes, outcome.mailbox)
                self.watch(self._access.authenticator.reauthorization, outcome.identity)
                self.idle_timeout = max(AUTOLOGOUT, self._access.limits.idle_timeout)
                self._machine.ok(f"{len(self._drop.uids)} messages")
                return
            except MailboxError:
                outcome = Failure(Cause.UNAVAILABLE, "The mailbox does not answer")
        self._answer_login(outcome)

    def _answer_login(self, outcome: Failure) -> None:
        self._failures += outcome.cause is not Cause.UNAVAILABLE
        last = self._failures >= MAX_LOGIN_FAILURES
        text = f"{outcome.text}; too many failed logins, closing" if last else outcome.text
        self._machine.err(text, CODES[outcome.cause])
        if last:
            self._close()

    # TRANSACTION

    @staticmethod
    def _there(drop: Maildrop, number: int) -> bool:
        return 1 <= number <= len(drop.uids) and number - 1 not in drop.deleted

    def _stat(self, command: Command, drop: Maildrop) -> None:
        live = drop.live()
        self._machine.ok(f"{len(live)} {sum(drop.sizes[at] for at in live)}")

    def _list(self, command: Command, drop: Maildrop) -> None:
        if command.numbers:
            self._machine.ok(f"{command.numbers[0]} {drop.sizes[command.numbers[0] - 1]}")
        else:
            self._machine.lines("", [b"%d %d" % (at + 1, drop.sizes[at]) for at in drop.live()])

    def _uidl(self, command: Command, drop: Maildrop) -> None:
        """RFC 1939 section 7: unique for ever in this maildrop, so the folder's UIDVALIDITY is part of it."""
        if command.numbers:
            number = command.numbers[0]
            self._machine.ok(f"{number} {drop.uid_validity:08x}{drop.uids[number - 1]:08x}")
        else:
            validity = b"%08x" % drop.uid_validity
            rows = [b"%d %b%08x" % (at + 1, validity, drop.uids[at]) for at in drop.live()]
            self._machine.lines("", rows)

    def _retr(self, command: Command, drop: Maildrop) -> Awaitable[None] | None:
        at = command.numbers[0] - 1
        content = drop.ahead.pop(at, None)
        if content is None or (self.link is not None and self.link.congested):
            return self._retrieve(command, drop, content)
        drop.retrieved.add(at)
        self._machine.message(f"{drop.sizes[at]} octets", content)
        return None

    async def _retrieve(self, command: Command, drop: Maildrop, content: bytes | None) -> None:
        at = command.numbers[0] - 1
        if content is None:
            content = await drop.read(at)
        if content is None:
            self._machine.err("The message is gone")
        elif command.name == "TOP":
            self._machine.message("Top of message", top(content, command.numbers[1]))
        else:
            drop.retrieved.add(at)
            self._machine.message(f"{drop.sizes[at]} octets", content)
        self.flush()
        if self.link is not None:
            await self.link.drained()

    def _top(self, command: Command, drop: Maildrop) -> Awaitable[None]:
        return self._retrieve(command, drop, None)

    def _dele(self, command: Command, drop: Maildrop) -> None:
        drop.deleted.add(command.numbers[0] - 1)
        self._machine.ok()

    def _rset(self, command: Command, drop: Maildrop) -> None:
        drop.deleted.clear()
        self._machine.ok()

    def _noop(self, command: Command, drop: Maildrop) -> None:
        self._machine.ok()


_Handler = Callable[[Pop3Session, Command], Awaitable[None] | None]
_ANYWHERE: dict[str, _Handler] = {"CAPA": Pop3Session._capa, "QUIT": Pop3Session._quit}
_AUTHORIZATION: dict[str, _Handler] = {
    "STLS": Pop3Session._stls,
    "USER": Pop3Session._user_name,
    "PASS": Pop3Session._pass,
    "AUTH": Pop3Session._auth,
}
_TRANSACTION: dict[str, Callable[[Pop3Session, Command, Maildrop], Awaitable[None] | None]] = {
    "STAT": Pop3Session._stat,
    "LIST": Pop3Session._list,
    "UIDL": Pop3Session._uidl,
    "RETR": Pop3Session._retr,
    "TOP": Pop3Session._top,
    "DELE": Pop3Session._dele,
    "RSET": Pop3Session._rset,
    "NOOP": Pop3Session._noop,
}
