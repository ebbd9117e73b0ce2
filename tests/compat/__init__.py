"""The gateway's clients: one suite of conformance for three libraries, and the daemon on ib_insync.

The libraries cannot share an environment: `make test` tries ib_async, `make compat` the other two in
environments made for them.
"""
