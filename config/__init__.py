"""What the operator chose: the connection and the governed rules, read strictly and with the origin of each value."""
