"""Stand-ins for the payment gateways, each its own process, driven over HTTP."""
