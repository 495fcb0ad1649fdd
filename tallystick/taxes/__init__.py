"""Which taxes hold for what is sold to whom, and what they come to."""
