"""The shell around the pure engine: broker, journal, schedule, feeds and commands."""
