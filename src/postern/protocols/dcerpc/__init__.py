"""DCE/RPC, connection-oriented (C706, MS-RPCE): PDUs, NDR 2.0, sans-I/O client and server, and the interfaces spoken here.

`pdu` packs and unpacks, `ndr` marshals parameters, `codecs` turns the model's values into parameters, `interface` declares
operations (and prints them as IDL), `server` and `client` are the machines, `interfaces` has the interfaces that are spoken here.
A `protection.Protection` from outside authenticates the peer and seals PDUs.
"""
