"""Every page; `app.py` mounts them."""

from typing import Final

from tallystick.console import (
    credit_pages,
    invoice_pages,
    issuer_pages,
    method_pages,
    note_pages,
    payment_pages,
    plan_migration_pages,
    report_pages,
    sign_in_pages,
    staff_billing_pages,
    staff_files,
    staff_invoice_pages,
    staff_note_pages,
    staff_pages,
    staff_refund_pages,
    staff_unclear_pages,
    static_files,
    usage_pages,
    webhook_pages,
    what_if_pages,
)

ROUTES: Final = (
    *sign_in_pages.ROUTES,
    *usage_pages.ROUTES,
    *credit_pages.ROUTES,
    *invoice_pages.ROUTES,
    *note_pages.ROUTES,
    *method_pages.ROUTES,
    *payment_pages.ROUTES,
    *staff_pages.ROUTES,
    *staff_invoice_pages.ROUTES,
    *staff_note_pages.ROUTES,
    *staff_files.ROUTES,
    *staff_billing_pages.ROUTES,
    *staff_refund_pages.ROUTES,
    *staff_unclear_pages.ROUTES,
    *issuer_pages.ROUTES,
    *report_pages.ROUTES,
    *what_if_pages.ROUTES,
    *plan_migration_pages.ROUTES,
    *webhook_pages.ROUTES,
    *static_files.ROUTES,
)
