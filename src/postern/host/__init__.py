"""This host: configuration, certificates, private engines, and the supervisor of the role processes."""
