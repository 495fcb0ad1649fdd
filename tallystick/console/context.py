"""What pages work with; `app.py` makes it, once for each process."""

from typing import TypeAlias

import msgspec
from litestar.di import NamedDependency

from tallystick.accounts.model import Account, Principal
from tallystick.accounts.sign_in import SignIn
from tallystick.documents.document import Party
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import Database
from tallystick.payments.refund_payment import PaymentRefunds
from tallystick.payments.refunds import Refunds
from tallystick.payments.sweep import Sweep
from tallystick.settings import Settings


class ConsoleContext(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that pages need and that has a life of its own; the dependency `console`."""

    settings: Settings
    db: Database
    clock: Clock
    sign_in: SignIn
    seller: Party
    refunds: Refunds
    payment_refunds: PaymentRefunds
    sweep: Sweep


# What handlers ask for; the parameter's name says which dependency is meant.
Console: TypeAlias = NamedDependency[ConsoleContext]
Caller: TypeAlias = NamedDependency[Principal]
Billed: TypeAlias = NamedDependency[Account]
