"""How Hypothesis runs here: as many examples as usual, and never judged by the clock."""

from hypothesis import settings

# A busy machine is no failure, so an example may take as long as it takes.
settings.register_profile("tallystick", deadline=None, print_blob=True)
settings.load_profile("tallystick")
