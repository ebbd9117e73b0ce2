"""The command line's verbs, one file for each group. Each imports what it needs only when it is called."""
