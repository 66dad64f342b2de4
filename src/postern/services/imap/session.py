"""The IMAP4 session: greeting, capabilities, TLS, authentication, and the way of each command to its group.

The guard decides what is advertised and refused; the groups (`folders`, `selected`, `fetch`, `store`, `search`) obey the
commands; `access.logon` opens the mailbox. Standards: RFC 9051 and RFC 3501, and the extensions of CAPABILITIES.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.net.link import Link
from postern.paths.guard import Offer
from postern.protocols.imap.acl import NEW_RIGHTS
from postern.protocols.imap.commands import (
    Authenticate,
    Command,
    Enable,
    Fetch,
    Invalid,
    Login,
    Overflow,
    Response,
)
from postern.protocols.imap.machine import MEMBER_COMMAND, ServerMachine
from postern.services.access.logon import ClientAccess, OpenedMailbox, open_mailbox, open_with_password
from postern.services.access.room import OF_ONE_MAILBOX, Share
from postern.services.conversation import Conversation, asking
from postern.services.imap import acl, fetch, folders, search, selected, store
from postern.services.imap.failures import CommandFailed
from postern.services.imap.state import REVOKED, ImapState, Revoked
from postern.services.imap.view import NO_COLUMNS, Ahead
from postern.telemetry.log import Event, log
from postern.trust.acceptor import Cause, Challenge, Failure, Granted
from postern.trust.framing.sasl import AuthExchange, AuthTurn, encoded, names

BASE = b"IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE"
CAPABILITIES = (
    b"NAMESPACE UIDPLUS MOVE UNSELECT CONDSTORE SPECIAL-USE CHILDREN LIST-EXTENDED LIST-STATUS ESEARCH SEARCHRES SORT "
    b"THREAD=REFERENCES THREAD=ORDEREDSUBJECT MULTIAPPEND BINARY QUOTA QUOTA=RES-STORAGE UTF8=ACCEPT STATUS=SIZE "
    b"ACL RIGHTS=" + NEW_RIGHTS + b" LIST-MYRIGHTS"
)
"""After authentication, besides BASE and APPENDLIMIT (RFC 7889). SEARCHRES is RFC 5182, STATUS=SIZE RFC 8438; the others are
cited where they are obeyed."""
ENABLED = {"CONDSTORE", "IMAP4REV2", "UTF8=ACCEPT"}

CAUSES = {
    Cause.FAILED: b"AUTHENTICATIONFAILED",
    Cause.UNSUPPORTED: b"AUTHENTICATIONFAILED",
    Cause.PRIVACY: b"PRIVACYREQUIRED",
    Cause.UNAVAILABLE: b"UNAVAILABLE",
    Cause.CONTACT: b"CONTACTADMIN",
}
"""RFC 5530 section 3."""
MAX_LOGIN_FAILURES = 5
Handler = Callable[[ImapState, Any], Awaitable[None]]
GROUPS: dict[str, Handler] = {
    "SELECT": selected.select,
    "EXAMINE": selected.select,
    "CLOSE": selected.close,
    "UNSELECT": selected.unselect,
    "EXPUNGE": selected.expunge,
    "CHECK": selected.check,
    "FETCH": fetch.fetch,
    "STORE": store.store,
    "COPY": store.copy,
    "MOVE": store.copy,
    "APPEND": store.append,
    "SEARCH": search.search,
    "SORT": search.sort,
    "THREAD": search.thread,
    "LIST": folders.list_folders,
    "LSUB": folders.list_folders,
    "STATUS": folders.status,
    "CREATE": folders.create,
    "DELETE": folders.delete,
    "RENAME": folders.rename,
    "SUBSCRIBE": folders.subscribe,
    "UNSUBSCRIBE": folders.subscribe,
    "NAMESPACE": folders.namespace,
    "GETQUOTA": folders.quota,
    "GETQUOTAROOT": folders.quota,
    "SETACL": acl.set_acl,
    "DELETEACL": acl.delete_acl,
    "GETACL": acl.get_acl,
    "LISTRIGHTS": acl.list_rights,
    "MYRIGHTS": acl.my_rights,
}
READING = frozenset({"NOOP", "CHECK", "IDLE", "FETCH", "SEARCH", "SORT", "THREAD", "STORE", "COPY", "MOVE", "EXPUNGE"})
"""Commands that tell of the selected folder. If somebody else owns it, the rights are asked for anew before each of them."""


class ImapSession(Conversation):
    """One connection to a door of the row imap4."""

    turned_away = b"* BYE [UNAVAILABLE] Too many connections\r\n"

    def __init__(self, access: ClientAccess) -> None:
        super().__init__()
        self._access = access
        self._machine = ServerMachine()
        self._state = ImapState(access, self._machine)
        self._auth = AuthExchange(access.guard, access.authenticator, encoded=True)
        self._idle: selected.Idle | None = None
        self._room: Share | None = None
        self._bad = 0
        self._failures = 0
        self.idle_timeout = access.limits.idle_timeout

    # Conversation

    def opened(self, link: Link) -> None:
        self._state.link = link
        super().opened(link)

    def greet(self) -> None:
        self._machine.send(
            b"* OK [CAPABILITY " + self._capabilities() + b"] " + self._access.host.encode() + b" IMAP4 ready\r\n"
        )

    def feed(self, data: bytes) -> None:
        self._machine.receive(data)

    def next_event(self) -> Command | None:
        if self._room is not None and self._room.size and not self._machine.has_message:
            self._room.give_back()
        return self._machine.next_event()

    def outgoing(self) -> bytes:
        return self._machine.outgoing()

    def timed_out(self) -> None:
        self._machine.send(b"* BYE Idle for too long\r\n")

    def revoked(self) -> None:
        self._machine.send(b"* BYE The account may not be logged on any more\r\n")

    def failed(self, error: BaseException) -> None:
        self._machine.send(b"* BYE [UNAVAILABLE] Internal error\r\n")

    def ended(self) -> None:
        if self._idle is not None:
            self._idle.stop()
            self._idle = None
        self._machine.clear()
        if self._room is not None:
            self._room.give_back()

    def handle(self, event: Command) -> Awaitable[None] | None:
        if isinstance(event, (Invalid, Overflow)):
            self._refuse(event)
            return None
        if isinstance(event, Response):
            return self._response(event)
        if isinstance(event, Fetch) and self._is_free() and fetch.fetch_ahead(self._state, event):
            return None
        name = event.name.removeprefix("UID ")
        if name in GROUPS:
            return self._obey(GROUPS[name], event)
        return _SESSION[name](self, event)

    def _is_free(self) -> bool:
        """Whether the peer reads what it is sent."""
        return self.link is not None and not self.link.congested

    async def _obey(self, handler: Handler, command: Command) -> None:
        """Runs a handler. A refusal by the store or the command's state becomes the tagged answer."""
        view = self._state.view
        if view is not None and handler is not fetch.fetch:
            view.ahead = Ahead(NO_COLUMNS)
        try:
            if view is not None and not view.home.is_own and command.name.removeprefix("UID ") in READING:
                await self._state.renew_rights()
            await handler(self._state, command)
        except Revoked:
            self._machine.send(b"* BYE " + REVOKED + b"\r\n")
            self._close()
        except DirectoryUnavailable:
            self._state.done(command, "The directory does not answer", b"UNAVAILABLE", b"NO")
        except CommandFailed as answer:
            self._state.done(command, answer.text, answer.code.encode(), answer.status.encode())
            if answer.status == "BAD":
                self._count_bad()
        except MailboxError as error:
            if error.code == "UNAVAILABLE":
                log(Event.STORE_UNAVAILABLE, command=command.name)
            if error.code == "NONEXISTENT" and await selected.is_gone(self._state):
                self._machine.send(b"* BYE " + selected.GONE + b"\r\n")
                self._close()
                return
            self._state.done(command, str(error), error.code.encode(), b"NO")

    def _refuse(self, event: Invalid | Overflow) -> None:
        if event.name == "IDLE" and self._idle is not None:
            self._idle.stop()
            self._idle = None
        if event.name == "":
            self._auth.cancel()
        if isinstance(event, Overflow):
            self._machine.send(b"* BYE [TOOBIG] " + event.text.encode() + b"\r\n")
            self._close()
            return
        status = b"NO" if event.code else b"BAD"
        code = b"[" + event.code.encode() + b"] " if event.code else b""
        self._machine.send(event.tag + b" " + status + b" " + code + event.text.encode() + b"\r\n")
        if not event.code:
            self._count_bad()

    def _count_bad(self) -> None:
        self._bad += 1
        if self._bad >= self._access.limits.errors_per_connection:
            self._machine.send(b"* BYE Too many bad commands\r\n")
            self._close()

    # Any state

    def _offer(self) -> Offer:
        link = self._state.link
        assert link is not None
        return self._access.guard.offer(link.seal, can_upgrade=link.tls is not None)

    def _capabilities(self) -> bytes:
        limit = b" APPENDLIMIT=%d" % self._access.limits.message_size
        if self._state.authenticated:
            return BASE + b" " + CAPABILITIES + limit
        offer = self._offer()
        capabilities = [BASE]
        if offer.upgrade:
            capabilities.append(b"STARTTLS")
        if offer.login_disabled:
            capabilities.append(b"LOGINDISABLED")
        link = self._state.link
        assert link is not None
        capabilities.extend(b"AUTH=" + name.encode() for name in names(offer.mechanisms, link.binds))
        return b" ".join(capabilities)

    def _capability(self, command: Command) -> None:
        self._state.send(b"CAPABILITY " + self._capabilities())
        self._state.done(command)

    def _noop(self, command: Command) -> Awaitable[None] | None:
        if self._state.view is not None:
            return self._obey(selected.noop, command)
        self._state.done(command)
        return None

    def _logout(self, command: Command) -> None:
        self._state.send(b"BYE Logging out")
        self._state.done(command)
        self._close()

    def _id(self, command: Command) -> None:
        """RFC 2971: our name, no version: a stranger need not know which bugs we have."""
        self._state.send(b'ID ("name" "Postern")')
        self._state.done(command)

    def _enable(self, command: Command) -> None:
        assert isinstance(command, Enable)
        if not self._state.authenticated:
            self._state.done(command, "Authenticate first", status=b"BAD")
            return
        enabled = [name for name in dict.fromkeys(command.capabilities) if name in ENABLED]
        state = self._state
        if "CONDSTORE" in enabled:
            state.enable_condstore()
        state.rev2 = state.rev2 or "IMAP4REV2" in enabled
        state.utf8_accepted = state.utf8_accepted or "UTF8=ACCEPT" in enabled
        state.utf8 = self._machine.utf8 = state.utf8 or bool({"IMAP4REV2", "UTF8=ACCEPT"} & set(enabled))
        names = [b"IMAP4rev2" if name == "IMAP4REV2" else name.encode() for name in enabled]
        state.send(b" ".join([b"ENABLED", *names]))
        state.done(command)

    def _begin_idle(self, command: Command) -> Awaitable[None]:
        async def begin(state: ImapState, command: Command) -> None:
            self._idle = await selected.begin_idle(state, command)

        return self._obey(begin, command)

    def _end_idle(self, command: Command) -> Awaitable[None] | None:
        idle, self._idle = self._idle, None
        return idle.done() if idle is not None else None

    # TLS and authentication

    def _start_tls(self, command: Command) -> Awaitable[None] | None:
        if self._state.authenticated or not self._offer().upgrade:
            self._state.done(command, "TLS is not available now", status=b"BAD")
            return None
        return self._upgrade(command)

    async def _upgrade(self, command: Command) -> None:
        """Everything that came in clear text behind STARTTLS is dropped before the handshake (RFC 9051 section 6.2.1)."""
        assert self.link is not None
        self._state.done(command, "Begin TLS negotiation")
        self.flush()
        self._machine.clear()
        self.drop_pending()
        try:
            await self.link.start_tls()
        except OSError:
            self.link.abort()

    def _login(self, command: Command) -> Awaitable[None] | None:
        assert isinstance(command, Login)
        if self._state.authenticated:
            self._state.done(command, "Already authenticated", status=b"BAD")
            return None
        return self._log_in(command)

    async def _log_in(self, command: Login) -> None:
        assert self.link is not None
        self._answer_login(command, await open_with_password(self._access, self.link, command.user, command.password))

    def _answer_login(self, command: Command, outcome: OpenedMailbox | Failure) -> None:
        if isinstance(outcome, OpenedMailbox):
            limits = self._access.limits
            self._state.opened = outcome
            self.watch(self._access.authenticator.reauthorization, outcome.identity)
            self._machine.max_command = MEMBER_COMMAND
            self._machine.max_message = limits.message_size
            self._machine.max_append = OF_ONE_MAILBOX * limits.message_size
            self._room = Share(self._access.literals, outcome.mailbox)
            self._machine.take_room = self._room.take
            self.idle_timeout = limits.imap_idle_timeout
            self._state.done(command, "Logged in", b"CAPABILITY " + self._capabilities())
            return
        if outcome.cause is Cause.CANCELLED:
            self._state.done(command, outcome.text, status=b"BAD")
            self._count_bad()
            return
        self._state.done(command, outcome.text, CAUSES[outcome.cause], b"NO")
        if outcome.cause is not Cause.UNAVAILABLE:
            self._failures += 1
        if self._failures >= MAX_LOGIN_FAILURES:
            self._machine.send(b"* BYE Too many failed logins\r\n")
            self._close()

    def _authenticate(self, command: Command) -> Awaitable[None] | None:
        assert isinstance(command, Authenticate)
        link = self.link
        assert link is not None
        if self._state.authenticated:
            self._state.done(command, "Already authenticated", status=b"BAD")
            return None
        return self._answer_turn(command, self._auth.begin(command.mechanism, command.initial, asking(link)))

    def _response(self, command: Response) -> Awaitable[None]:
        return self._answer_turn(command, self._auth.respond(command.data))

    async def _answer_turn(self, command: Command, turn: Awaitable[AuthTurn]) -> None:
        assert self.link is not None
        outcome = await turn
        if isinstance(outcome, Challenge):
            self._machine.challenge(encoded(outcome))
        elif isinstance(outcome, Granted):
            self._answer_login(command, await open_mailbox(self._access, self.link, outcome.identity))
        else:
            self._answer_login(command, outcome)


_SESSION: dict[str, Callable[[ImapSession, Command], Awaitable[None] | None]] = {
    "CAPABILITY": ImapSession._capability,
    "NOOP": ImapSession._noop,
    "PAUSE": lambda session, command: None,
    "LOGOUT": ImapSession._logout,
    "ID": ImapSession._id,
    "ENABLE": ImapSession._enable,
    "IDLE": ImapSession._begin_idle,
    "DONE": ImapSession._end_idle,
    "STARTTLS": ImapSession._start_tls,
    "LOGIN": ImapSession._login,
    "AUTHENTICATE": ImapSession._authenticate,
}
