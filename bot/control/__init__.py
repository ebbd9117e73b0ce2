"""What the operator does with the daemon: the command line."""
