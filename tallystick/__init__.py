"""Tallystick: a billing platform you own."""

__version__ = "0.1.0"
