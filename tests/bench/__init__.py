"""Benchmarks beside their baselines, one row of the table after the other. `python -m bench --help`."""
