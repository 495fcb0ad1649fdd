"""A stateful stand-in for Stripe's API and page script, for tests and for the demo."""
