"""Behaviour of the simulator package."""
