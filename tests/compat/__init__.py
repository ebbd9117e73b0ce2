"""The other clients of the gateway: the predecessor library under the daemon, and the broker's own client.

Neither can share an environment with ib_async, so these tests skip in the project's own; `make compat` runs
them in environments made for them.
"""
