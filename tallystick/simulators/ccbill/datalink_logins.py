"""Who may use DataLink: the caller's address, the login, and the lock after three failures."""

import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta

from tallystick.simulators.ccbill.config import DataLinkUser
from tallystick.simulators.ccbill.errors import failed
from tallystick.simulators.ccbill.model import Failures
from tallystick.simulators.ccbill.state import State

FAILURES_MAX = 3
LOCK = timedelta(hours=1)
# Chooses the claimed address of a caller (invented): all our callers come from 127.0.0.1.
PEER_HEADER = "x-sim-peer"


def peer_allowed(state: State, headers: Mapping[str, str]) -> bool:
    """Tell whether the caller's address is on the list."""
    if state.config.peers is None:
        return True
    address = ipaddress.ip_address(headers.get(PEER_HEADER, "127.0.0.1"))
    return any(address in ipaddress.ip_network(net, strict=False) for net in state.config.peers)


def locked(state: State, username: str) -> bool:
    """Tell whether a login has to wait."""
    return len(_recent(state, username)) >= FAILURES_MAX


def note_failure(state: State, username: str) -> None:
    """Count a failed login."""
    at = (*_recent(state, username), state.now())[-FAILURES_MAX:]
    state.put("logins", username, Failures(at))


def login(
    state: State, query: Mapping[str, str], headers: Mapping[str, str], subacc: str | None
) -> DataLinkUser | int:
    """Return the user, or the code of the refusal.

    -1 wrong or missing login, -8 address, -9 deactivated, -10 nobody is set up, -12 locked. A user
    of one sub-account has to name it in `clientSubacc`, which is given here as `subacc`.
    """
    if not peer_allowed(state, headers):
        return -8
    if not state.config.datalink_users:
        return -10
    username = query.get("username", "")
    if locked(state, username):
        return -12
    user = next((one for one in state.config.datalink_users if one.username == username), None)
    accnum = query.get("clientAccnum", "")
    is_ours = accnum.isdecimal() and int(accnum) in state.config.accounts
    wanted = None if user is None or user.client_subacc is None else f"{user.client_subacc:04d}"
    named = subacc.rjust(4, "0") if subacc else None
    is_right = user is not None and user.password == query.get("password") and is_ours
    if user is None or not is_right or wanted not in (None, named):
        note_failure(state, username)
        return -1
    return user if user.active else -9


def check_for_charge(state: State, headers: Mapping[str, str]) -> None:
    """Go on when charging is possible at all: it needs the address and a DataLink user.

    Raises CcbillError 500: 100107 address, 100106 no user, 100108 deactivated, 100109 locked.
    """
    if not peer_allowed(state, headers):
        raise failed(100107, "IP address is not allowed.")
    users = state.config.datalink_users
    if not users:
        raise failed(100106, "DataLink is inactive.")
    if not any(user.active for user in users):
        raise failed(100108, "DataLink user is deactivated.")
    if all(locked(state, user.username) for user in users if user.active):
        raise failed(100109, "Too many failed logins.")


def _recent(state: State, username: str) -> tuple[datetime, ...]:
    found: Failures = state.get("logins", username) or Failures()
    return tuple(at for at in found.at if at > state.now() - LOCK)
