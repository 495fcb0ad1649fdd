"""Stripe Checkout: sessions and the hosted page on which they are paid."""
