"""A question to a server of this host over its unix socket, for who has one thread and may not wait: it is sent at once, and what
came back is taken in whenever the caller looks.
"""

from __future__ import annotations

import socket
from pathlib import Path

MAX_ANSWER = 65_536


class LocalQuestion:
    """Connects and sends. Raises OSError where nobody accepts.

    Bound: at most 65,536 octets of an answer are kept.
    """

    def __init__(self, door: Path, words: bytes) -> None:
        self.said = b""
        """The answer so far."""
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            # A unix socket is connected at once or, where the server accepts nothing any more, not at all.
            self._link.connect(str(door))
            self._link.send(words)
        except OSError:
            self._link.close()
            raise

    def look(self) -> bool:
        """Takes in what has come; False once the server has hung up."""
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
