"""What we are allowed to do: limits, checks, sizing and the trading state. Pure."""
