"""The only state: an append-only, hash-chained record of all that happened, and what reads it back."""
