"""Who may do what, as one table; a route names the permission that it needs.

Members read. Owners also decide about money: cards, autopay, plans, payments. Usage and credits
are reported by machines, so no role of an account has those two. Staff see every account; what
they do about money (refund, approve, reconcile) is `staff:finance`, the rest `staff:admin`.
"""

from collections.abc import Mapping
from typing import Final, Literal

from tallystick.accounts.model import Account, KeyScope, Principal, Role, StaffRole
from tallystick.kernel.errors import BadInput, Forbidden, NotSignedIn

Permission = Literal[
    "billing:read",  # read an account's plan, invoices, payments, usage
    "billing:write",  # change its plan, payment methods, autopay; pay
    "usage:write",  # report usage
    "usage:correct",  # amend, take out and look at single events
    "usage:check",  # ask whether so much more may be used
    "credits:write",  # deduct and reserve credits
    "staff:read",  # read across accounts
    "staff:finance",  # refund, approve, reconcile
    "staff:admin",  # catalogue, accounts, keys, clocks, everything else
]

_READS: Final[frozenset[Permission]] = frozenset({"billing:read", "usage:check"})
_WRITES: Final[frozenset[Permission]] = _READS | {"billing:write"}
_ALL: Final[frozenset[Permission]] = _WRITES | {
    "usage:write",
    "usage:correct",
    "credits:write",
    "staff:read",
    "staff:finance",
    "staff:admin",
}

BY_ROLE: Final[Mapping[Role, frozenset[Permission]]] = {"member": _READS, "owner": _WRITES}
BY_STAFF_ROLE: Final[Mapping[StaffRole, frozenset[Permission]]] = {
    "support": _READS | {"staff:read"},
    "finance": _READS | {"staff:read", "staff:finance", "usage:correct"},
    "admin": _ALL,
}
# Who may write a thing may read it: an answer shows what was written anyway.
BY_SCOPE: Final[Mapping[KeyScope, frozenset[Permission]]] = {
    "usage:write": frozenset({"usage:write", "usage:check", "usage:correct"}),
    "billing:read": _READS,
    "billing:write": _WRITES,
    "credits:write": frozenset({"credits:write"}),
    "admin": _ALL,
}


def permissions(principal: Principal) -> frozenset[Permission]:
    """Return all that this principal may do to the account it asks about."""
    granted: frozenset[Permission] = frozenset()
    if principal.role is not None:
        granted |= BY_ROLE[principal.role]
    if principal.staff_role is not None:
        granted |= BY_STAFF_ROLE[principal.staff_role]
    return granted.union(*(BY_SCOPE[scope] for scope in principal.scopes))


def allows(principal: Principal, permission: Permission) -> bool:
    """Tell whether the principal has the permission."""
    return permission in permissions(principal)


def require(principal: Principal | None, permission: Permission) -> None:
    """Raise NotSignedIn `not_signed_in` for nobody, Forbidden `not_allowed` without permission.

    A person of several accounts who named none raises BadInput `account_required`.
    """
    if principal is None:
        raise NotSignedIn("not_signed_in", "Sign in, or send an API key.")
    if allows(principal, permission):
        return
    if principal.kind == "user" and principal.staff_role is None and principal.account is None:
        raise account_required()
    raise Forbidden("not_allowed", f"This needs the permission {permission}; ask an owner for it.")


def account_of(principal: Principal) -> Account:
    """Return the account asked about; raises BadInput `account_required` when none was named."""
    if principal.account is None:
        raise account_required()
    return principal.account


def account_required() -> BadInput:
    """Return the error for a request that must name its account."""
    return BadInput("account_required", "Name the account in the header X-Account-Id.")
