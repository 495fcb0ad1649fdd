"""Ids that look like Stripe's: a prefix and random letters and digits."""

import random

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Lengths of the random part, as Stripe has them; what is not named here has 24.
LENGTHS = {"cus": 14, "req": 14}
LENGTH = 24
SECRET_LENGTH = 25


class Ids:
    """Makes ids from the given source; `secrets.SystemRandom` where secrets must stay secret."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def new(self, prefix: str) -> str:
        """Return a fresh id, such as `cus_Ab3...`."""
        return f"{prefix}_{self._letters(LENGTHS.get(prefix, LENGTH))}"

    def client_secret(self, owner: str) -> str:
        """Return `<owner>_secret_...`: who holds it may confirm the intent from a page."""
        return f"{owner}_secret_{self._letters(SECRET_LENGTH)}"

    def _letters(self, count: int) -> str:
        return "".join(self._source.choices(ALPHABET, k=count))
