"""What is done when its time has come. A new kind of duty is a line here."""

from collections.abc import Mapping

from tallystick.simulators.stripe import refunds
from tallystick.simulators.stripe.bank import debits, microdeposits
from tallystick.simulators.stripe.billing import collecting, cycles, invoices
from tallystick.simulators.stripe.checkout import sessions
from tallystick.simulators.stripe.timers import Duty

DUTIES: Mapping[str, Duty] = {
    debits.SETTLE: debits.settle,
    microdeposits.FAILED: microdeposits.on_failed,
    microdeposits.TIMEOUT: microdeposits.on_timeout,
    cycles.CANCEL_AT: cycles.on_cancel_at,
    cycles.GIVE_UP: cycles.on_give_up,
    cycles.RENEW: cycles.renew,
    cycles.TRIAL_WARNING: cycles.on_trial_warning,
    invoices.FINALIZE: cycles.on_finalize,
    invoices.RETRY: collecting.on_retry,
    refunds.SETTLE: refunds.settle,
    sessions.EXPIRE: sessions.on_time_up,
}
