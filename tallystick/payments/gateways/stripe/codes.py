"""Stripe's codes for a refusal and ours (https://docs.stripe.com/declines/codes, /error-codes).

A code that is missing here is a plain decline, also one that Stripe adds tomorrow. So are
lost_card, stolen_card, fraudulent and the like, on purpose: a thief may be the one who reads it.
"""

from collections.abc import Mapping
from typing import Final

AUTHENTICATION_REQUIRED: Final = "authentication_required"

CODES: Final[Mapping[str, str]] = {
    "insufficient_funds": "insufficient_funds",
    "card_velocity_exceeded": "limit_exceeded",
    "withdrawal_count_limit_exceeded": "limit_exceeded",
    "expired_card": "expired_card",
    "invalid_expiry_month": "expired_card",
    "invalid_expiry_year": "expired_card",
    "incorrect_number": "incorrect_number",
    "invalid_number": "incorrect_number",
    "incorrect_cvc": "incorrect_cvc",
    "invalid_cvc": "incorrect_cvc",
    "incorrect_zip": "incorrect_address",
    "incorrect_address": "incorrect_address",
    "postal_code_invalid": "incorrect_address",
    "card_not_supported": "card_not_supported",
    "currency_not_supported": "card_not_supported",
    "transaction_not_allowed": "card_not_supported",
    "card_decline_rate_limit_exceeded": "limit_exceeded",
    "approve_with_id": "processing_error",
    "issuer_not_available": "processing_error",
    "processing_error": "processing_error",
    "reenter_transaction": "processing_error",
    "try_again_later": "processing_error",
    "duplicate_transaction": "duplicate_payment",
    "no_account": "bank_account_closed",
    "account_closed": "bank_account_closed",
    "invalid_account": "payment_method_missing",
    "invalid_account_number": "bank_account_closed",
    "incorrect_account_details": "bank_account_closed",
    "bank_account_restricted": "bank_account_restricted",
    "account_frozen": "bank_account_restricted",
    "bank_account_unusable": "bank_account_restricted",
    "bank_account_declined": "bank_debit_refused",
    "bank_cannot_process": "bank_debit_refused",
    "generic_could_not_process": "bank_debit_refused",
    "refer_to_customer": "bank_debit_refused",
    "payment_method_provider_decline": "bank_debit_refused",
    "payment_method_customer_decline": "bank_debit_not_authorized",
    "debit_not_authorized": "bank_debit_not_authorized",
    "customer_initiated": "bank_debit_not_authorized",
    "bank_ownership_changed": "bank_debit_not_authorized",
    "payment_intent_mandate_invalid": "bank_debit_not_authorized",
    "bank_account_unverified": "bank_account_unverified",
    "payment_method_microdeposit_failed": "bank_account_unverified",
    "payment_method_microdeposit_verification_attempts_exceeded": "bank_account_unverified",
    "payment_method_microdeposit_verification_timeout": "bank_account_unverified",
    "payment_method_provider_timeout": "processing_error",
    AUTHENTICATION_REQUIRED: AUTHENTICATION_REQUIRED,
    "authentication_not_handled": AUTHENTICATION_REQUIRED,
    "payment_intent_action_required": AUTHENTICATION_REQUIRED,
    "payment_intent_authentication_failure": "authentication_failed",
    "setup_intent_authentication_failure": "authentication_failed",
    "payment_intent_payment_attempt_expired": "authentication_failed",
    "amount_too_small": "amount_too_small",
    "amount_too_large": "amount_too_large",
    "resource_missing": "payment_method_missing",
    "payment_method_unactivated": "payment_method_missing",
    "payment_method_unexpected_state": "payment_method_missing",
    "payment_method_not_available": "processing_error",
    "invalid_amount": "amount_not_chargeable",
    "payment_method_currency_mismatch": "currency_not_supported",
}

HARD: Final = frozenset({
    "lost_card", "stolen_card", "pickup_card", "restricted_card", "fraudulent",
    "merchant_blacklist", "expired_card", "invalid_expiry_month", "invalid_expiry_year",
    "incorrect_number", "invalid_number", "invalid_account", "card_not_supported",
    "currency_not_supported", "transaction_not_allowed", "revocation_of_all_authorizations",
    "revocation_of_authorization", "stop_payment_order", "do_not_try_again", "resource_missing",
    "no_action_taken", "not_permitted", "service_not_allowed", "security_violation",
    "no_account", "account_closed", "invalid_account_number", "incorrect_account_details",
    "bank_account_restricted", "account_frozen", "bank_account_unusable", "debit_not_authorized",
    "customer_initiated", "bank_ownership_changed", "payment_intent_mandate_invalid",
    "payment_method_customer_decline", "bank_account_unverified",
    "payment_method_microdeposit_failed", "payment_method_unactivated",
    "payment_method_microdeposit_verification_attempts_exceeded",
    "payment_method_microdeposit_verification_timeout", "payment_method_currency_mismatch",
})  # fmt: skip
"""After these the same method will be refused again (https://docs.stripe.com/declines/codes)."""

HARD_ADVICE: Final = "do_not_try_again"
"""The issuer's own advice (`advice_code`); it outweighs the code."""
