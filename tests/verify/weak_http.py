"""An HTTP server on loopback that answers whatever is asked, which a probe must notice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def weak_http(body: bytes = b"") -> Iterator[int]:
    """Answers every GET, POST and DELETE with 200 and `body`; gives its port."""

    class Weak(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, *words: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Weak)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
