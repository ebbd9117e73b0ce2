"""Programs that trade on the embedded gateway, one for each client library. How to run them: README.md."""
