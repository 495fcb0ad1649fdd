"""The navigation offers what its reader may do, and nothing else."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from tallystick.accounts.model import Account, Principal, Role, StaffRole
from tallystick.accounts.tokens import csrf_matches
from tallystick.console.viewer import Viewer, home_of, viewer_of

ACCOUNT = Account(
    account_id=UUID(int=1),
    name="Atelier",
    email="a@atelier.example",
    currency="EUR",
    timezone="Europe/Paris",
    country="FR",
    locale="fr-FR",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
CUSTOMER = ["Usage", "Credits", "Invoices", "Payment methods"]
STAFF = ["Accounts", "Billing", "Reports", "Issuers", "What-ifs", "Plan migrations"]


def person(
    role: Role | None = None, staff_role: StaffRole | None = None, session: str | None = "tss_x"
) -> Principal:
    return Principal(
        kind="user",
        method="session",
        user_id=UUID(int=2),
        account=ACCOUNT if role else None,
        role=role,
        staff_role=staff_role,
        csrf_secret=session,
    )


def viewer(principal: Principal, *, billing_enabled: bool = True) -> Viewer:
    return viewer_of(principal, billing_enabled=billing_enabled)


@pytest.mark.parametrize(
    ("principal", "links"),
    [
        (person(role="member"), CUSTOMER),
        (person(role="owner"), CUSTOMER),
        (person(staff_role="support"), STAFF),
        (person(role="owner", staff_role="admin"), [*CUSTOMER, *STAFF]),
    ],
)
def test_links_follow_what_a_person_may_see(principal: Principal, links: list[str]) -> None:
    assert [link.text for link in viewer(principal).links] == links


def test_without_billing_no_link_leads_there() -> None:
    assert viewer(person(role="owner"), billing_enabled=False).links == ()


def test_owners_change_and_members_look() -> None:
    assert viewer(person(role="owner")).may_write
    assert not viewer(person(role="member")).may_write


def test_admins_alone_move_clocks() -> None:
    assert viewer(person(staff_role="admin")).may_administer
    assert not viewer(person(staff_role="finance")).may_administer


def test_finance_decides_about_invoices_and_support_looks() -> None:
    assert viewer(person(staff_role="finance")).may_finance
    assert not viewer(person(staff_role="support")).may_finance


def test_forms_carry_the_token_of_the_session() -> None:
    assert csrf_matches("tss_x", viewer(person(role="owner")).csrf_token)
    assert viewer(person(role="owner", session=None)).csrf_token == ""


def test_staff_begin_with_accounts_and_customers_with_usage() -> None:
    assert home_of(person(staff_role="support")) == "/staff/accounts"
    assert home_of(person(role="member")) == "/billing/usage"
