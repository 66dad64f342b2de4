"""DCE/RPC, connection-oriented (C706, MS-RPCE): PDUs, NDR 2.0, sans-I/O client and server, and the interfaces spoken here.

`pdu` packs and unpacks, `ndr` marshals parameters, `codecs` makes them of the model's values, `interface` declares operations
(and prints them as IDL), `server` and `client` are the machines, `interfaces` has what is spoken here. Who the peer
is and how PDUs are sealed comes in from outside as a `protection.Protection`.
"""
