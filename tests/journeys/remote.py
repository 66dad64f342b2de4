"""Another organization's mail server, in a process of its own (so that it can stand in another network namespace).

    python -m tests.journeys.remote ADDRESS PORT [DNS-PORT]

Offers STARTTLS, takes what it is given, and refuses `nobody@` whatever (550 5.1.1). Says "ready", then one JSON line for each
message taken. With a DNS port it is its own name server too: every domain takes its mail here.
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import trustme

ROOT = Path(__file__).parents[2]
NAME = "mx.elsewhere.test"


class Remote:
    """Starts it; `taken` are its messages. `prefix` is put before the command: `ip netns exec NAME`."""

    def __init__(self, address: str, port: int, dns_port: int = 0, prefix: Sequence[str] = ()) -> None:
        self.address = address
        self.port = port
        self.taken: list[dict[str, Any]] = []
        words = [address, str(port), *([str(dns_port)] if dns_port else [])]
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.journeys.remote", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if said != "ready\n":
            self.stop()
            raise AssertionError(f"the remote server did not start: {said}")
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, lines: Any) -> None:
        for line in lines:
            self.taken.append(json.loads(line))

    def has(self, message_id: str) -> dict[str, Any] | None:
        return next((message for message in self.taken if message_id in message["content"]), None)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class _Session(socketserver.StreamRequestHandler):
    timeout = 60
    tls: ssl.SSLContext
    seal = ""

    def handle(self) -> None:
        self._say(f"220 {NAME} ESMTP")
        sender, recipients = "", []
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            path = rest.partition("<")[2].partition(">")[0]
            match verb.upper():
                case "EHLO":
                    extensions = [] if self.seal else ["STARTTLS"]
                    for word in (NAME, *extensions, "PIPELINING", "8BITMIME"):
                        self._say(f"250-{word}")
                    self._say("250 ENHANCEDSTATUSCODES")
                case "STARTTLS":
                    self._say("220 2.0.0 Go")
                    wrapped = self.tls.wrap_socket(self.connection, server_side=True)
                    self.seal = wrapped.version() or ""
                    self.connection, self.rfile, self.wfile = wrapped, wrapped.makefile("rb"), wrapped.makefile("wb", 0)
                case "MAIL":
                    sender, recipients = path, []
                    self._say("250 2.1.0 Ok")
                case "RCPT" if path.startswith("nobody@"):
                    self._say("550 5.1.1 We know nobody of that name")
                case "RCPT":
                    recipients.append(path)
                    self._say("250 2.1.5 Ok")
                case "DATA" if recipients:
                    self._say("354 Go on")
                    content = b"".join(iter(self.rfile.readline, b".\r\n")).decode("utf-8", "replace")
                    message = {"sender": sender, "recipients": recipients, "seal": self.seal, "content": content}
                    print(json.dumps(message), flush=True)
                    self._say("250 2.0.0 Ok")
                case "DATA":
                    self._say("554 5.5.1 No recipients")
                case "QUIT":
                    self._say("221 2.0.0 Bye")
                    return
                case _:
                    self._say("250 2.0.0 Ok")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def _answer_names(door: socket.socket, address: str) -> None:
    while True:
        data, peer = door.recvfrom(4096)
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        asked = question.question[0]
        text = {dns.rdatatype.MX: f"10 {NAME}.", dns.rdatatype.A: address}.get(asked.rdtype)
        if text is not None:
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", dns.rdatatype.to_text(asked.rdtype), text))
        door.sendto(answer.to_wire(), peer)


def main(address: str, port: str, dns_port: str = "") -> None:
    certificate = trustme.CA().issue_cert(NAME)
    _Session.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
        _Session.tls.load_cert_chain(file)
    server = _Server((address, int(port)), _Session)
    if dns_port:
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.bind((address, int(dns_port)))
        threading.Thread(target=_answer_names, args=(door, address), daemon=True).start()
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
