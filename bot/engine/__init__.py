"""The pure engine: an ordered list of events becomes decisions and commands.

`step(state, timed_event)` never awaits, reads no clock and touches nothing outside its arguments, so
that a recorded list of events always gives the recorded decisions and commands again.
"""
