"""HTTP, sans I/O: so far one request a connection, for what only tells something."""
