"""Tests of the broker adapter, each through the real client library."""
