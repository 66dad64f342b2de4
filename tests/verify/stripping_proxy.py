"""Somebody on the way: a proxy that hides what an IMAP server offers, or ends TLS by a certificate of its own."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def proxy(
    port: int, target: int, hide: bytes = b"", tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> Iterator[None]:
    """Listens on `address`:`port` and forwards to `target` there. `hide` disappears from what the server says; with `tls` the
    client's TLS ends here (from the first byte) and goes on as another TLS connection that validates nobody."""
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((address, port))
        door.listen()
        door.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    client, _ = door.accept()
                    threading.Thread(
                        target=_carry, args=(client, (address, target), hide, tls, stop), daemon=True
                    ).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(5)


def _carry(
    client: socket.socket, target: tuple[str, int], hide: bytes, tls: ssl.SSLContext | None, stop: threading.Event
) -> None:
    with contextlib.suppress(OSError), client:
        client.settimeout(10)
        if tls is not None:
            client = tls.wrap_socket(client, server_side=True)
        server = socket.create_connection(target, 10)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            server = context.wrap_socket(server)
        with client, server:
            other = {client: server, server: client}
            while not stop.is_set():
                for end in select.select([client, server], [], [], 0.2)[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data.replace(hide, b"") if hide and end is server else data)
