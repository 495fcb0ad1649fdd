"""Every route of the API; a new group is one file and one line here."""

from typing import Final

from tallystick.api import (
    admin_accounts,
    admin_catalog,
    admin_clocks,
    admin_credit_costs,
    admin_credits,
    admin_keys,
    admin_limits,
    admin_payments,
    audit,
    credit_grants,
    credit_packages,
    credit_reads,
    credit_settings,
    credit_use,
    events,
    invoices,
    ledger,
    payment_methods,
    payments,
    subscriptions,
    usage,
    usage_check,
    usage_overview,
    webhooks,
)

ACCOUNT_ROUTES: Final = (
    *subscriptions.ACCOUNT_ROUTES,
    *usage.ACCOUNT_ROUTES,
    *usage_overview.ACCOUNT_ROUTES,
    *invoices.ACCOUNT_ROUTES,
    *payments.ACCOUNT_ROUTES,
    *ledger.ACCOUNT_ROUTES,
    *payment_methods.ACCOUNT_ROUTES,
    *credit_reads.ACCOUNT_ROUTES,
    *credit_grants.ACCOUNT_ROUTES,
    *credit_settings.ACCOUNT_ROUTES,
    *credit_use.ACCOUNT_ROUTES,
    *credit_packages.ACCOUNT_ROUTES,
)
OTHER_ROUTES: Final = (
    *events.ROUTES,
    *usage_check.ROUTES,
    *webhooks.ROUTES,
    *admin_accounts.ROUTES,
    *admin_catalog.ROUTES,
    *admin_credits.ROUTES,
    *admin_credit_costs.ROUTES,
    *admin_clocks.ROUTES,
    *admin_keys.ROUTES,
    *admin_limits.ROUTES,
    *admin_payments.ROUTES,
    *audit.ROUTES,
)
