"""Behaviour of the journal."""
