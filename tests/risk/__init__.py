"""Behaviour of the risk package."""
