"""What is traded and what it costs: contracts, quotes, orders, positions, calendar and pricing. Pure."""
