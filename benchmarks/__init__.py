"""Measurements that compare this project with its peers, run as modules: python -m benchmarks.NAME."""
