"""The XML and the header fields of WebDAV (RFC 4918), CalDAV (RFC 4791) and CardDAV (RFC 6352)."""
