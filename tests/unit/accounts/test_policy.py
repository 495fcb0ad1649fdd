from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

import pytest

from tallystick.accounts.model import Account, KeyScope, Principal, Role, StaffRole
from tallystick.accounts.policy import Permission, account_of, allows, permissions, require
from tallystick.kernel.db import Actor
from tallystick.kernel.errors import BadInput, Forbidden, NotSignedIn, TallystickError
from tallystick.kernel.ids import show

ACCOUNT = Account(
    account_id=UUID(int=1), name="A", email="a@example.com", currency="EUR", timezone="UTC",
    country="DE", locale="de-DE", created_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip
ALL = set(get_args(Permission))

# The README's table, written out a second time on purpose.
ROLES: dict[Role, set[Permission]] = {
    "member": {"billing:read", "usage:check"},
    "owner": {"billing:read", "billing:write", "usage:check"},
}
STAFF_ROLES: dict[StaffRole, set[Permission]] = {
    "support": {"billing:read", "usage:check", "staff:read"},
    "finance": {"billing:read", "usage:check", "usage:correct", "staff:read", "staff:finance"},
    "admin": ALL,
}
SCOPES: dict[KeyScope, set[Permission]] = {
    "usage:write": {"usage:write", "usage:check", "usage:correct"},
    "billing:read": {"billing:read", "usage:check"},
    "billing:write": {"billing:read", "billing:write", "usage:check"},
    "credits:write": {"credits:write"},
    "admin": ALL,
}


def user(role: Role | None = None, staff_role: StaffRole | None = None) -> Principal:
    account = ACCOUNT if role else None
    return Principal(
        kind="user", method="session", user_id=UUID(int=2), account=account, role=role,
        staff_role=staff_role,
    )  # fmt: skip


def key(*scopes: KeyScope) -> Principal:
    return Principal(
        kind="service", method="bearer_key", api_key_id=UUID(int=3), scopes=frozenset(scopes)
    )


def test_the_table_covers_every_role_and_scope() -> None:
    assert set(ROLES) == set(get_args(Role))
    assert set(STAFF_ROLES) == set(get_args(StaffRole))
    assert set(SCOPES) == set(get_args(KeyScope))


@pytest.mark.parametrize("permission", sorted(ALL))
def test_every_cell_of_the_table_is_as_written(permission: Permission) -> None:
    for role, granted in ROLES.items():
        assert allows(user(role), permission) == (permission in granted), role
    for staff_role, granted in STAFF_ROLES.items():
        assert allows(user(None, staff_role), permission) == (permission in granted), staff_role
    for scope, granted in SCOPES.items():
        assert allows(key(scope), permission) == (permission in granted), scope


def test_a_user_of_no_account_and_no_staff_role_may_nothing() -> None:
    assert permissions(user()) == frozenset()
    assert permissions(key()) == frozenset()


def test_scopes_and_roles_add_up() -> None:
    assert permissions(key("usage:write", "credits:write")) == {
        "usage:write", "usage:check", "usage:correct", "credits:write"
    }  # fmt: skip
    assert permissions(user("owner", "support")) == {
        "billing:read", "billing:write", "usage:check", "staff:read"
    }  # fmt: skip


def raised(principal: Principal | None, permission: Permission) -> TallystickError:
    with pytest.raises(TallystickError) as caught:
        require(principal, permission)
    return caught.value


def test_require_tells_apart_who_is_unknown_and_who_is_not_allowed() -> None:
    require(user("owner"), "billing:write")
    assert isinstance(raised(None, "billing:read"), NotSignedIn)
    assert isinstance(raised(user("member"), "billing:write"), Forbidden)
    assert isinstance(raised(key("usage:write"), "billing:read"), Forbidden)
    assert isinstance(raised(user(None, "support"), "staff:admin"), Forbidden)


def test_a_user_of_several_accounts_is_asked_to_name_one() -> None:
    error = raised(user(), "billing:read")
    assert isinstance(error, BadInput)
    assert error.code == "account_required"


def test_the_account_asked_about_is_named_or_missing() -> None:
    assert account_of(user("member")) == ACCOUNT
    with pytest.raises(BadInput) as caught:
        account_of(key("admin"))
    assert caught.value.code == "account_required"


def test_a_principal_is_written_down_under_its_id() -> None:
    name = show("user", UUID(int=2))
    assert user("owner").actor("req_1", "why") == Actor("user", name, "req_1", "why")
    assert key("admin").actor() == Actor("api_key", show("api_key", UUID(int=3)))
