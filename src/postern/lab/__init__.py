"""The lab: a whole organization of several hosts on this machine, each a set of Linux namespaces behind its own firewall."""
