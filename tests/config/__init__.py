"""Behaviour of the settings and rules."""
