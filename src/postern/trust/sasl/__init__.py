"""SASL: one exchange between a mechanism and a protocol, the mechanisms, and our own side as a client."""
