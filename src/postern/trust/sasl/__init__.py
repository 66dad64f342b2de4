"""SASL: its mechanisms on the server's side, and this host's own side as a client."""
