"""A stateful stand-in for CCBill's API, widget, webhooks and DataLink, for tests and the demo."""
