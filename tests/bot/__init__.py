"""Behaviour of the bot package."""
