"""What the operator learns from the journal: why, logs, replay and verification."""
