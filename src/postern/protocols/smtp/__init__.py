"""SMTP (RFC 5321) as two sans-I/O machines, `server.Server` and `client.Client`, and the grammar they share.

`receive` takes bytes, `next_event` gives events until None, and `outgoing` has bytes to send. The machines keep the protocol's
order and bounds; the service decides who may do what.
"""
