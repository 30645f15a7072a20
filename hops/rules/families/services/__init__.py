"""SV: rules for Services, their selectors and their ports."""
