"""Knocks at doors from inside a host, and reports the result of each. It takes no row, for half of the doors it dials have none.

It is a program of its own, run with the standard library only. It reads lines `WIRE ADDRESS PORT` from its standard input, knocks
at all doors at once, and prints each line again with the result:
  answered   a TCP connection came about, or a datagram came back
  refused    the packet arrived, and nothing listens there (a reset, or "port unreachable")
  silent     nothing came back
  forbidden  this host's own kernel did not let the packet out
and with the number of packets that a silent door may have cost: 1, or 2 if this process was so late that the kernel had sent a
second one.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import sys
import time

TCP_PATIENCE = 0.6
"""Seconds to wait for TCP. The kernel repeats its first packet after one second (RFC 6298), so that a silent door costs one
packet."""
UDP_PATIENCE = 3.0
_RESENT = 0.95
_PARTING = 0.5

_DNS = struct.pack(">6H", 0x5057, 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack(">2H", 2, 1)
"""A query for the name servers of the root (RFC 1035)."""
_CLDAP = bytes.fromhex("3025020101632004000a01000a0100020100020100010100870b6f626a656374436c6173733000")
"""A search of the rootDSE with (objectClass=*) for no attribute (RFC 1798)."""
_KERBEROS = bytes.fromhex(
    "6a81b13081aea103020105a20302010aa31a3018300aa10402020096a2020400300aa10402020095a2020400a48185308182a0070305"
    "0000000010a1133011a003020101a10a30081b066e6f626f6479a20b1b09434f52502e54455354a31e301ca003020102a11530131b06"
    "6b72627467741b09434f52502e54455354a511180f32303336313132353030333034395aa7060204301c87b7a81a3018020112020111"
    "02011402011302011002011702011902011a"
)
"""An AS-REQ (RFC 4120 section 5.4.1) for nobody@CORP.TEST, whom no key distribution centre knows."""
_WORDS = {53: _DNS, 88: _KERBEROS, 389: _CLDAP}
_REFUSED = (errno.ECONNREFUSED, errno.ECONNRESET)
_FORBIDDEN = (errno.EPERM, errno.EACCES)


class Knock:
    def __init__(self, line: str) -> None:
        self.line = line
        wire, address, port = line.split()
        self.tcp = wire == "TCP"
        self.result = ""
        self.packets = 1
        self.begin = time.monotonic()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM if self.tcp else socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        try:
            self.socket.connect((address, int(port)))
            if not self.tcp:
                self.socket.send(_WORDS.get(int(port), b"\0"))
        except BlockingIOError:
            pass
        except OSError as error:
            self._failed(error.errno)

    @property
    def deadline(self) -> float:
        return self.begin + (TCP_PATIENCE if self.tcp else UDP_PATIENCE)

    def look(self) -> None:
        """Reads the result when the socket is ready."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(code)
            return
        self.result = "answered"

    def give_up(self) -> None:
        self.result = "silent"
        self.close()
        if self.tcp and time.monotonic() - self.begin > _RESENT:
            self.packets = 2

    def close(self) -> None:
        self.socket.close()

    def _failed(self, code: int | None) -> None:
        self.close()
        if code in _REFUSED:
            self.result = "refused"
        elif code in _FORBIDDEN:
            self.result = "forbidden"
        else:
            self.result = f"error-{errno.errorcode.get(code or 0, code)}"


def main() -> None:
    waiting = {knock.socket.fileno(): knock for line in sys.stdin if not (knock := _said(Knock(line.strip()))).result}
    poll = select.poll()
    for number, knock in waiting.items():
        poll.register(number, select.POLLOUT if knock.tcp else select.POLLIN)
    answered = []
    while waiting:
        patience = min(knock.deadline for knock in waiting.values()) - time.monotonic()
        for number, _ in poll.poll(max(0.0, patience) * 1000):
            poll.unregister(number)
            knock = waiting.pop(number)
            knock.look()
            _said(knock)
            if knock.result == "answered":
                answered.append(knock)
        for number, knock in list(waiting.items()):
            if time.monotonic() >= knock.deadline:
                poll.unregister(number)
                del waiting[number]
                knock.give_up()
                _said(knock)
    _part(answered)


def _said(knock: Knock) -> Knock:
    if knock.result:
        print(knock.line, knock.result, knock.packets, flush=True)
    return knock


def _part(answered: list[Knock]) -> None:
    """Ends the connections in order, so that no late packet of the other side arrives for a connection that is unknown by
    then."""
    open_connections = [knock.socket for knock in answered if knock.tcp]
    for connection in open_connections:
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    until = time.monotonic() + _PARTING
    while open_connections and time.monotonic() < until:
        readable, _, _ = select.select(open_connections, [], [], until - time.monotonic())
        for connection in readable:
            try:
                ended = not connection.recv(65536)
            except OSError:
                ended = True
            if ended:
                open_connections.remove(connection)
                connection.close()
    for knock in answered:
        knock.close()


if __name__ == "__main__":
    main()
