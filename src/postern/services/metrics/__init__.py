"""Serves metrics for monitoring: the counts of the host's processes in Prometheus' text format, and which parts are up."""
