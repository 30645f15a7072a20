"""What the API server refuses in an object beyond its schema."""
