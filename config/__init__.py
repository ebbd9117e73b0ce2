"""What the operator chose: connection and governed rules, read strictly, each value with its origin."""
