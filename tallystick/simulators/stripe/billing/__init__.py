"""Stripe Billing: products, prices, subscriptions and invoices on the simulator's clock."""
