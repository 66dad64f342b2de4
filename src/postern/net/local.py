"""Asks a server of this host over its unix socket, for a caller with one thread that may not wait: the question is sent at once,
and the caller looks now and then for the answer.
"""

from __future__ import annotations

import socket
from pathlib import Path

MAX_ANSWER = 65_536


class LocalQuestion:
    """A question that is sent when this is made. Raises OSError where nobody accepts.

    Bound: at most 65,536 octets of an answer are kept.
    """

    def __init__(self, door: Path, question: bytes) -> None:
        self.said = b""
        """The answer so far."""
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            # A unix socket is connected at once or, where the server accepts nothing any more, not at all.
            self._link.connect(str(door))
            self._link.send(question)
        except OSError:
            self._link.close()
            raise

    def look(self) -> bool:
        """Reads what has come; returns False once the server has hung up."""
        try:
            data = self._link.recv(MAX_ANSWER)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.said = (self.said + data)[:MAX_ANSWER]
        return bool(data)

    def close(self) -> None:
        self._link.close()
