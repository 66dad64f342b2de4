"""Metrics for monitoring: what the host's processes count, in Prometheus' text format, and which parts of the host are up."""
