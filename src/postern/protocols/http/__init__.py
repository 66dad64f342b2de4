"""HTTP, sans I/O: so far one request on each connection, for services that only answer."""
