"""Behaviour of the strategies package."""
