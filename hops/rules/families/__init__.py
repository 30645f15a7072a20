"""The rules: a module per family."""
