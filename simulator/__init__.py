"""A paper account in a box: the broker's socket protocol, an exchange, an account and a market behind it."""
