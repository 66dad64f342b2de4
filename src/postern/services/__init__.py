"""One file per conversation: a protocol machine, the guard, and the domain."""
