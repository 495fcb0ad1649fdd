"""A stateful stand-in for the routes of Lago that usage and its comparison need."""
