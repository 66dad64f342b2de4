"""The command line: click commands over host, verify, directory and the queue; it prints, and decides nothing."""
