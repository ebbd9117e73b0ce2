"""Behaviour of the engine."""
