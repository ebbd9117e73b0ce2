"""Tests of bot.control."""
