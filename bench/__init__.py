"""Benchmarks: the real server and a load generator as two processes, ratios from one run (docs/developer.md)."""
