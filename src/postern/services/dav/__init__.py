"""WebDAV, CalDAV and CardDAV on the server side."""
