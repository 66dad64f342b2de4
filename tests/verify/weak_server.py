"""A mail server that obeys a list of weaknesses: the positive control of every refusal probe.

Without a weakness it is as strict as the verifier demands; each weakness breaks one thing, and the verifier must notice.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

import trustme


class Weakness(Enum):
    CLEAR_LOGIN = auto()
    SHOWS_BEFORE_TLS = auto()
    ANY_PASSWORD = auto()
    ANY_MECHANISM = auto()
    SHOWS_MORE = auto()
    NO_UPGRADE = auto()
    OLD_TLS = auto()
    WRONG_CERTIFICATE = auto()
    HIDES_LISTED = auto()
    REFUSES_RIGHT_PASSWORD = auto()
    PUTS_OFF = auto()
    """Whoever is refused is told to try again later."""
    OPEN_RELAY = auto()
    ANY_RECIPIENT = auto()


@dataclass
class WeakServer:
    name: str
    password: str
    weaknesses: frozenset[Weakness] = frozenset()
    port: int = 0
    authority: Path | None = None
    context: ssl.SSLContext | None = field(default=None, repr=False)

    def has(self, weakness: Weakness) -> bool:
        return weakness in self.weaknesses


@contextlib.contextmanager
def weak_server(protocol: str, tmp: Path, implicit: bool = False, *weaknesses: Weakness) -> Iterator[WeakServer]:
    """Serves "smtp", "imap" or "pop3" on a free port of 127.0.0.1 until the block ends."""
    state = WeakServer("probe@example.test", "right password", frozenset(weaknesses))
    authority, stranger = trustme.CA(), trustme.CA()
    issuer = stranger if state.has(Weakness.WRONG_CERTIFICATE) else authority
    certificate = issuer.issue_cert("server.example.test")
    state.authority = tmp / "authority.pem"
    authority.cert_pem.write_to_path(str(state.authority))
    state.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if state.has(Weakness.OLD_TLS):
        state.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            state.context.minimum_version = ssl.TLSVersion.TLSv1
    else:
        state.context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate.configure_cert(state.context)
    handler = {"smtp": _Smtp, "imap": _Imap, "pop3": _Pop3}[protocol]

    class Handler(handler):
        weak = state

        def setup(self) -> None:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sealed = False
            if implicit:
                self.upgrade()

    with _Server(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join(5)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up during a handshake is what some probes want."""


class _Line(socketserver.BaseRequestHandler):
    weak: WeakServer
    sealed: bool

    def upgrade(self) -> None:
        assert self.weak.context is not None
        self.request = self.weak.context.wrap_socket(self.request, server_side=True)
        self.sealed = True

    def send(self, text: str) -> None:
        self.request.sendall(text.encode() + b"\r\n")

    def lines(self) -> Iterator[str]:
        while True:
            line = bytearray()
            while not line.endswith(b"\n"):
                byte = self.request.recv(1)
                if not byte:
                    return
                line += byte
            yield line.decode(errors="replace").rstrip("\r\n")

    def shown(self) -> list[str]:
        names = [] if self.weak.has(Weakness.HIDES_LISTED) else ["PLAIN", "LOGIN"]
        if self.weak.has(Weakness.SHOWS_MORE):
            names.append("CRAM-MD5")
        return names if self.sealed or self.weak.has(Weakness.SHOWS_BEFORE_TLS) else []

    def upgradable(self) -> bool:
        return not self.sealed and not self.weak.has(Weakness.NO_UPGRADE)

    def refusal(self, for_good: str, later: str) -> str:
        return later if self.weak.has(Weakness.PUTS_OFF) else for_good

    def judge(self, mechanism: str, name: str, password: str) -> bool:
        if not self.sealed and not self.weak.has(Weakness.CLEAR_LOGIN):
            return False
        if mechanism not in ("PLAIN", "LOGIN"):
            return self.weak.has(Weakness.ANY_MECHANISM)
        right = (name, password) == (self.weak.name, self.weak.password)
        if right and self.weak.has(Weakness.REFUSES_RIGHT_PASSWORD):
            return False
        return right or self.weak.has(Weakness.ANY_PASSWORD)

    def sasl(self, words: list[str], ask: str, lines: Iterator[str]) -> bool:
        """Runs one exchange; `ask` begins a continuation ("334 ", "+ ")."""
        mechanism = words[0].upper()

        def more(challenge: str) -> str:
            self.send(ask + base64.b64encode(challenge.encode()).decode())
            return base64.b64decode(next(lines, "") or "").decode(errors="replace")

        if mechanism == "LOGIN":
            name = base64.b64decode(words[1]).decode() if len(words) > 1 else more("Username:")
            return self.judge(mechanism, name, more("Password:"))
        if mechanism not in ("PLAIN",) and not self.weak.has(Weakness.ANY_MECHANISM):
            return False
        first = base64.b64decode(words[1]).decode(errors="replace") if len(words) > 1 and words[1] != "=" else more("")
        _, _, rest = first.partition("\0")
        name, _, password = rest.partition("\0")
        return self.judge(mechanism, name, password)


class _Smtp(_Line):
    def handle(self) -> None:
        self.send("220 server.example.test ESMTP")
        lines = self.lines()
        for line in lines:
            verb, *words = line.split()
            match verb.upper():
                case "EHLO":
                    features = ["server.example.test"]
                    if self.upgradable():
                        features.append("STARTTLS")
                    if self.shown():
                        features.append("AUTH " + " ".join(self.shown()))
                    for feature in features[:-1]:
                        self.send("250-" + feature)
                    self.send("250 " + features[-1])
                case "STARTTLS" if self.upgradable():
                    self.send("220 go ahead")
                    self.upgrade()
                case "AUTH":
                    no = self.refusal("535 5.7.8 no", "454 4.7.0 later")
                    self.send("235 2.7.0 yes" if self.sasl(words, "334 ", lines) else no)
                case "MAIL" | "RSET" | "NOOP":
                    self.send("250 2.0.0 yes")
                case "RCPT":
                    self.rcpt(line)
                case "QUIT":
                    self.send("221 2.0.0 bye")
                    return
                case _:
                    self.send("502 5.5.1 no")

    def rcpt(self, line: str) -> None:
        address = line.partition("<")[2].partition(">")[0]
        if address in (self.weak.name, "postmaster"):
            self.send("250 2.1.5 yes")
        elif address.endswith("@example.test"):
            self.send("250 2.1.5 yes" if self.weak.has(Weakness.ANY_RECIPIENT) else "550 5.1.1 no")
        else:
            self.send("250 2.1.5 yes" if self.weak.has(Weakness.OPEN_RELAY) else "550 5.7.1 no")


class _Imap(_Line):
    def handle(self) -> None:
        self.send("* OK ready")
        lines = self.lines()
        for line in lines:
            tag, verb, *words = line.split()
            match verb.upper():
                case "CAPABILITY":
                    words = ["IMAP4REV1", *(["STARTTLS"] if self.upgradable() else [])]
                    self.send("* CAPABILITY " + " ".join(words + [f"AUTH={name}" for name in self.shown()]))
                    self.send(f"{tag} OK done")
                case "STARTTLS" if self.upgradable():
                    self.send(f"{tag} OK begin")
                    self.upgrade()
                case "AUTHENTICATE":
                    no = self.refusal("NO no", "NO [UNAVAILABLE] later")
                    self.send(f"{tag} {'OK yes' if self.sasl(words, '+ ', lines) else no}")
                case "LOGIN":
                    arguments = " ".join(words)
                    name, _, password = arguments.partition(" ")
                    yes = self.judge("PLAIN", name.strip('"'), password.strip('"'))
                    self.send(f"{tag} {'OK yes' if yes else 'NO no'}")
                case "LOGOUT":
                    self.send("* BYE")
                    self.send(f"{tag} OK")
                    return
                case _:
                    self.send(f"{tag} BAD no")


class _Pop3(_Line):
    def handle(self) -> None:
        self.send("+OK ready")
        lines = self.lines()
        name = ""
        for line in lines:
            verb, *words = line.split()
            match verb.upper():
                case "CAPA":
                    self.send("+OK")
                    if self.upgradable():
                        self.send("STLS")
                    if self.shown():
                        self.send("SASL " + " ".join(self.shown()))
                    self.send(".")
                case "STLS" if self.upgradable():
                    self.send("+OK begin")
                    self.upgrade()
                case "AUTH":
                    no = self.refusal("-ERR no", "-ERR [SYS/TEMP] later")
                    self.send("+OK yes" if self.sasl(words, "+ ", lines) else no)
                case "USER":
                    name = words[0]
                    self.send("+OK")
                case "PASS":
                    yes = self.judge("PLAIN", name, line.partition(" ")[2])
                    self.send("+OK yes" if yes else "-ERR no")
                case "QUIT":
                    self.send("+OK bye")
                    return
                case _:
                    self.send("-ERR no")
