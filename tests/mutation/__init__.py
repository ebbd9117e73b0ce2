"""Mutation testing: small errors are put into the order path, and the tests have to notice them."""
