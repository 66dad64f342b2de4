"""Each figure beside a peer's, in one run: `make bench`. See bench/run.py."""
