"""This host: configuration, certificates, private engines, and the supervisor that starts, watches and stops the role processes."""
