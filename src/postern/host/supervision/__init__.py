"""The processes of this host: the supervisor, its children, and what the kernel shows of their sockets."""
