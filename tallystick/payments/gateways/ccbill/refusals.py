"""CCBill's errors by HTTP status and code: the same code means two things under 400 and 500."""

from collections.abc import Mapping
from typing import Final

import structlog

from tallystick.kernel.errors import Conflict, NotFound, TallystickError, Unavailable
from tallystick.payments.gateway import no_answer
from tallystick.payments.gateways.ccbill import wire
from tallystick.payments.gateways.ccbill.client import Answer
from tallystick.payments.outcomes import Declined, Outcome, Unknown

log = structlog.get_logger()

_INVALID: Final = Declined("payment_request_invalid")
_GONE: Final = Declined("payment_method_missing", hard=True)
_BUSY: Final = Declined("processing_error")
_AUTHENTICATION: Final = Declined("authentication_failed")
# (status, code) -> what it means for a charge. What is not here: 4xx was not charged, 5xx may be.
_OUTCOMES: Final[Mapping[tuple[int, int], Outcome]] = {
    (400, 100102): _GONE,
    (404, 100101): _GONE,
    (404, 100104): _GONE,
    (500, 100107): _INVALID,
    (500, 100108): _INVALID,
    (500, 100109): _INVALID,
    # Velocity controls: counted before the bank is asked.
    (500, 100110): _BUSY,
    (500, 100111): _BUSY,
    (500, 100112): _AUTHENTICATION,
    (500, 100113): _AUTHENTICATION,
}
_SERVER_ERROR: Final = 500
_BAD_REQUEST: Final = 400
_NOT_FOUND: Final = 404


def outcome_of(answer: Answer) -> Outcome:
    """Return what a failed charge means; Unknown where CCBill may have charged."""
    code = _code(answer, "charge")
    if answer.status >= _SERVER_ERROR:
        return _OUTCOMES.get((answer.status, code), Unknown("gateway_failed"))
    if answer.status >= _BAD_REQUEST:
        return _OUTCOMES.get((answer.status, code), _INVALID)
    return Unknown("unreadable_answer")


def error_of(answer: Answer, what: str) -> TallystickError:
    """Return what a failed call means that moves no money."""
    code = _code(answer, what)
    if answer.status == _NOT_FOUND:
        return NotFound("gateway_object_missing", "CCBill does not have this object.")
    if (answer.status, code) == (_BAD_REQUEST, 100102):
        return Conflict(
            "payment_token_expired", "The payment token has expired or is used up; make a new one."
        )
    if _BAD_REQUEST <= answer.status < _SERVER_ERROR:
        return Unavailable(
            "gateway_request_invalid", "CCBill did not take the request; we have been told."
        )
    return no_answer("ccbill")


def _code(answer: Answer, what: str) -> int:
    """Return the error's code, -1 without one, and leave a line: names of fields, never texts."""
    problem = wire.read(answer.body, wire.Problem) or wire.Problem()
    code = wire.number(problem.errorCode)
    log.warning(
        "ccbill_refused",
        what=what,
        status=answer.status,
        code=code,
        fields=[one.field for one in problem.errors or () if one.field],
    )
    return -1 if code is None else code
