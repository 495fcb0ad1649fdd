"""Every page; `app.py` mounts them."""

from typing import Final

from tallystick.console import (
    credit_pages,
    invoice_pages,
    method_pages,
    note_pages,
    plan_migration_pages,
    sign_in_pages,
    staff_pages,
    static_files,
    usage_pages,
    what_if_pages,
)

ROUTES: Final = (
    *sign_in_pages.ROUTES,
    *usage_pages.ROUTES,
    *credit_pages.ROUTES,
    *invoice_pages.ROUTES,
    *note_pages.ROUTES,
    *method_pages.ROUTES,
    *staff_pages.ROUTES,
    *what_if_pages.ROUTES,
    *plan_migration_pages.ROUTES,
    *static_files.ROUTES,
)
