"""What pages work with; `app.py` makes it, once for each process."""

import msgspec

from tallystick.accounts.sign_in import SignIn
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import Database
from tallystick.settings import Settings


class ConsoleContext(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that pages need and that has a life of its own; the dependency `console`."""

    settings: Settings
    db: Database
    clock: Clock
    sign_in: SignIn
