"""Benchmarks: figures as ratios to the database's own tools, from one run on one machine."""
