"""Connections of the verifier to the mail protocols, by smtplib, imaplib and poplib, which are independent of our code.

All probe connections have one interface, which `mail_checks` uses. They open their own connections, only to the real port of a
row; the TLS contexts come from `net.tls`.
"""

from __future__ import annotations

import base64
import contextlib
import imaplib
import poplib
import smtplib
import ssl
from dataclasses import dataclass
from typing import Protocol

from postern.model.security import Seal
from postern.net.tls import end_point
from postern.verify.sasl_client import CannotAuthenticate, Exchange

TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class LogonAnswer:
    """The server's answer to a logon: whether it admits the account, the text of its reply, and whether it only says to try
    again later."""

    yes: bool
    reply: str
    later: bool = False

    @property
    def no(self) -> bool:
        """Whether the server refuses the account. One that says to try later has judged nothing."""
        return not self.yes and not self.later


class ProbeConnection(Protocol):
    service: str
    """The GSSAPI service name: smtp, imap, pop."""

    def mechanisms(self) -> tuple[str, ...]:
        """SASL names that the server shows now."""
        ...

    def offers_upgrade(self) -> bool: ...

    def upgrade(self, context: ssl.SSLContext) -> None:
        """Upgrades the connection to TLS by the protocol's command. Raises ssl.SSLError or OSError."""
        ...

    def authenticate(self, sasl: str, exchange: Exchange) -> LogonAnswer: ...

    def clear_login(self, name: str, password: str) -> LogonAnswer:
        """Logs on by the protocol's simplest command, which sends the password itself."""
        ...

    def seal(self) -> Seal | None: ...

    def binding(self) -> bytes:
        """The channel binding of -PLUS mechanisms: `tls-server-end-point` of the server's certificate, b"" if there is none."""
        ...

    def close(self) -> None: ...


def _seal(sock: object) -> Seal | None:
    version = getattr(sock, "version", None)
    if version is None:
        return None
    cipher = sock.cipher()  # type: ignore[attr-defined]  # an SSLSocket by now
    return Seal(version() or "", cipher[0] if cipher else "")


def _binding(sock: object) -> bytes:
    der = sock.getpeercert(True) if isinstance(sock, ssl.SSLSocket) else None
    return end_point(der) if der else b""


class SmtpConnection:
    service = "smtp"

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, name: str) -> None:
        if context is not None:
            self.client: smtplib.SMTP = smtplib.SMTP_SSL(timeout=TIMEOUT, context=context)
        else:
            self.client = smtplib.SMTP(timeout=TIMEOUT)
        self.client._host = name  # type: ignore[attr-defined]  # SNI and the name that the certificate must carry
        code, reply = self.client.connect(host, port)
        if code != 220:
            raise ConnectionRefusedError(reply.decode(errors="replace"))
        self.client._host = name  # type: ignore[attr-defined]  # as above
        self.client.ehlo("verify.invalid")

    def mechanisms(self) -> tuple[str, ...]:
        return tuple(self.client.esmtp_features.get("auth", "").split())

    def offers_upgrade(self) -> bool:
        return self.client.has_extn("starttls")

    def upgrade(self, context: ssl.SSLContext) -> None:
        code, reply = self.client.starttls(context=context)
        if code != 220:
            raise ConnectionRefusedError(reply.decode(errors="replace"))
        self.client.ehlo("verify.invalid")

    def authenticate(self, sasl: str, exchange: Exchange) -> LogonAnswer:
        first = exchange(b"")
        code, reply = self.client.docmd("AUTH", f"{sasl} {base64.b64encode(first).decode()}" if first else sasl)
        while code == 334:
            answer = exchange(_decode(reply))
            code, reply = self.client.docmd(base64.b64encode(answer).decode())
        return _smtp_answer(code, reply)

    def clear_login(self, name: str, password: str) -> LogonAnswer:
        secret = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        code, reply = self.client.docmd("AUTH", f"PLAIN {secret}")
        return _smtp_answer(code, reply)

    def seal(self) -> Seal | None:
        return _seal(self.client.sock)

    def binding(self) -> bytes:
        return _binding(self.client.sock)

    def close(self) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self.client.quit()
        self.client.close()


def _smtp_answer(code: int, reply: bytes) -> LogonAnswer:
    return LogonAnswer(code == 235, f"{code} {reply.decode(errors='replace')}", 400 <= code < 500)


class _NamedImap(imaplib.IMAP4):
    """Validates the certificate against the name of the server; imaplib alone would take the host that it dialled."""

    certificate_name = ""

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        super().open(host, port, timeout)
        self.host = self.certificate_name


class _NamedImapSsl(imaplib.IMAP4):
    def __init__(self, host: str, port: int, context: ssl.SSLContext, name: str) -> None:
        self._context, self._name = context, name
        super().__init__(host, port, timeout=TIMEOUT)

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        plain = super()._create_socket(timeout)  # type: ignore[misc]  # not in the stubs
        return self._context.wrap_socket(plain, server_hostname=self._name)


class ImapConnection:
    service = "imap"

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, name: str) -> None:
        if context is not None:
            self.client: imaplib.IMAP4 = _NamedImapSsl(host, port, context, name)
        else:
            self.client = _NamedImap(host, port, timeout=TIMEOUT)
            self.client.host = name

    def mechanisms(self) -> tuple[str, ...]:
        _, data = self.client.capability()
        return tuple(word[5:] for word in data[0].decode().upper().split() if word.startswith("AUTH="))

    def offers_upgrade(self) -> bool:
        return "STARTTLS" in self.client.capability()[1][0].decode().upper().split()

    def upgrade(self, context: ssl.SSLContext) -> None:
        self.client.starttls(context)

    def authenticate(self, sasl: str, exchange: Exchange) -> LogonAnswer:
        try:
            _, data = self.client.authenticate(sasl, lambda challenge: exchange(challenge))
            return LogonAnswer(True, _first(data))
        except imaplib.IMAP4.error as error:
            return LogonAnswer(False, str(error), "[UNAVAILABLE]" in str(error))  # RFC 5530 section 3

    def clear_login(self, name: str, password: str) -> LogonAnswer:
        try:
            _, data = self.client.login(name, password)
            return LogonAnswer(True, _first(data))
        except imaplib.IMAP4.error as error:
            return LogonAnswer(False, str(error), "[UNAVAILABLE]" in str(error))  # RFC 5530 section 3

    def seal(self) -> Seal | None:
        return _seal(self.client.sock)

    def binding(self) -> bytes:
        return _binding(self.client.sock)

    def close(self) -> None:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self.client.logout()


class _NamedPopSsl(poplib.POP3):
    def __init__(self, host: str, port: int, context: ssl.SSLContext, name: str) -> None:
        self._context, self._name = context, name
        super().__init__(host, port, timeout=TIMEOUT)

    def _create_socket(self, timeout: float) -> ssl.SSLSocket:
        plain = super()._create_socket(timeout)  # type: ignore[misc]  # not in the stubs
        return self._context.wrap_socket(plain, server_hostname=self._name)


class Pop3Connection:
    service = "pop"

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, name: str) -> None:
        if context is not None:
            self.client: poplib.POP3 = _NamedPopSsl(host, port, context, name)
        else:
            self.client = poplib.POP3(host, port, timeout=TIMEOUT)
            self.client.host = name

    def mechanisms(self) -> tuple[str, ...]:
        return tuple(self.client.capa().get("SASL", []))

    def offers_upgrade(self) -> bool:
        return "STLS" in self.client.capa()

    def upgrade(self, context: ssl.SSLContext) -> None:
        self.client.stls(context)

    def authenticate(self, sasl: str, exchange: Exchange) -> LogonAnswer:
        command = self.client._shortcmd  # type: ignore[attr-defined]  # poplib has no public AUTH
        first = exchange(b"")
        try:
            reply = command(f"AUTH {sasl} {base64.b64encode(first).decode()}" if first else f"AUTH {sasl}")
            while reply.startswith(b"+ ") or reply == b"+":
                reply = command(base64.b64encode(exchange(_decode(reply[2:]))).decode())
            return LogonAnswer(reply.startswith(b"+OK"), reply.decode(errors="replace"))
        except poplib.error_proto as error:
            return LogonAnswer(False, str(error), "[SYS/TEMP]" in str(error))  # RFC 3206 section 4

    def clear_login(self, name: str, password: str) -> LogonAnswer:
        try:
            self.client.user(name)
            return LogonAnswer(True, self.client.pass_(password).decode(errors="replace"))
        except poplib.error_proto as error:
            return LogonAnswer(False, str(error), "[SYS/TEMP]" in str(error))  # RFC 3206 section 4

    def seal(self) -> Seal | None:
        return _seal(self.client.sock)

    def binding(self) -> bytes:
        return _binding(self.client.sock)

    def close(self) -> None:
        with contextlib.suppress(OSError, poplib.error_proto):
            self.client.quit()


def _decode(challenge: bytes) -> bytes:
    try:
        return base64.b64decode(challenge, validate=True)
    except ValueError as error:
        raise CannotAuthenticate("the server's challenge is not base64") from error


def _first(data: list[bytes] | str) -> str:
    first = data[0] if data else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)
