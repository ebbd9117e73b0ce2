"""The one place that talks to the broker: our nouns on one side, the client library's wire on the other."""
