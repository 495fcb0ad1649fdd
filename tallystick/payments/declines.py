"""Why a charge was refused: our codes, and what customers are told. A gateway's own text never is.

Lost, stolen and suspected cards share the code of a plain decline: their holder may not be the
one who reads it (https://docs.stripe.com/declines/codes says so).
"""

from collections.abc import Mapping
from typing import Final

GENERIC: Final = "card_declined"

DECLINES: Final[Mapping[str, str]] = {
    GENERIC: "The card was declined. Use another card, or ask your bank.",
    "insufficient_funds": "There are insufficient funds. Use another payment method.",
    "limit_exceeded": "The card's limit is exceeded. Use another card, or ask your bank.",
    "expired_card": "The card has expired. Save a new card.",
    "incorrect_number": "The card's number is not right. Save the card again.",
    "incorrect_cvc": "The card's security code is not right. Save the card again.",
    "incorrect_address": "The bank did not accept the address. Save the card again.",
    "card_not_supported": "The card does not allow this kind of payment. Use another card.",
    "processing_error": "The card could not be processed. Try again in a while.",
    "authentication_required": "Your bank wants you to confirm this payment.",
    "authentication_failed": "The payment was not confirmed with your bank. Try again.",
    "amount_too_small": "The amount is below what this way of paying allows.",
    "amount_too_large": "The amount is above what this way of paying allows.",
    "amount_not_chargeable": "This way of paying can not take exactly this amount.",
    "currency_not_supported": "This way of paying does not take this currency.",
    "duplicate_payment": "The bank took this for a payment made twice. Ask your bank, or wait.",
    "bank_debit_refused": "The bank refused the debit. Use another method, or ask your bank.",
    "bank_debit_not_authorized": "Your bank says that you did not allow it. Save a new method.",
    "bank_account_closed": "The bank account is closed or not known. Save another one.",
    "bank_account_restricted": "The bank account does not take debits. Use another method.",
    "bank_account_unverified": "The bank account could not be verified. Save it again.",
    "payment_method_missing": "The payment method is no longer there. Save a new one.",
    "payment_request_invalid": "The payment could not be made. We have been told; please wait.",
    "never_charged": "The payment did not reach the bank. Nothing was taken; try again.",
    "cancelled": "The payment was cancelled. Nothing was taken.",
    "rejected": "The payment was not confirmed. Please check its reference.",
}


def words(code: str) -> str:
    """Return what customers are told for one of our codes; an unknown one is a plain decline."""
    return DECLINES.get(code, DECLINES[GENERIC])
