"""What a pull request changes: the engine's events, compared and reported. Pure."""
