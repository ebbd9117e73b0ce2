"""Behaviour of the market package."""
