"""Billing meters: usage told in events, counted in summaries."""
