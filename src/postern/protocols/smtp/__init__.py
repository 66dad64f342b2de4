"""SMTP (RFC 5321) as two sans-I/O machines, `server.Server` and `client.Client`, and the grammar they share.

Bytes in by `receive`, events out by `next_event` until None, bytes to send from `outgoing`. The machines keep the protocol's
order and bounds; who may do what is the service's word.
"""
