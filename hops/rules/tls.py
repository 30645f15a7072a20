"""TL: certificates and the way to them."""
