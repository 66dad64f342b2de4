"""Remote procedure calls: clients, servers, the service of a declared interface, and the endpoint mapper."""
