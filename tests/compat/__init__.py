"""The gateway seen through three unmodified clients, and the daemon on the predecessor of its client library.

The libraries cannot share an environment: ib_async is in the project's own, `make compat` makes those of the
other two and runs the same suite there.
"""
