"""What requests about credits and their answers look like, for the API's description."""

from typing import Any, Final

Json = dict[str, Any]
_NO_ID: Final = "01h455vb4pex5vsknk084sn02q"

DEDUCT: Final[Json] = {
    "operation": "generate_content",
    "model": "large",
    "quantity": "1500",
    "description": "Article 17",
    "metadata": {"project": "spring"},
}
DEDUCTED: Final[Json] = {
    "id": f"le_{_NO_ID}",
    "operation": "generate_content",
    "model": "large",
    "quantity": "1500",
    "credits": 3.00000,
    "available": 97.00000,
    "created": "2026-03-01T12:00:00Z",
}
BATCH: Final[Json] = {
    "items": [
        {"operation": "generate_image", "quantity": "2", "idempotency_key": "job-81"},
        {"operation": "export", "credits": "0.25", "idempotency_key": "job-82"},
    ]
}
BATCHED: Final[Json] = {
    "results": [
        {
            "idempotency_key": "job-81",
            "status": "debited",
            "debit": {
                **DEDUCTED,
                "operation": "generate_image",
                "model": None,
                "quantity": "2",
                "credits": 97.0,
                "available": 0.0,
            },
            "error": None,
        },
        {
            "idempotency_key": "job-82",
            "status": "refused",
            "debit": None,
            "error": {
                "code": "insufficient_credits",
                "detail": "There are not as many credits.",
                "required": "0.25",
                "available": "0",
            },
        },
    ],
    "total": 2,
}
RESERVE: Final[Json] = {"operation": "generate_content", "credits": "10", "ttl_seconds": 600}
RESERVED: Final[Json] = {
    "id": f"cr_{_NO_ID}",
    "operation": "generate_content",
    "model": None,
    "credits": 10.0,
    "status": "active",
    "expires_at": "2026-03-01T12:10:00Z",
    "created": "2026-03-01T12:00:00Z",
}
SETTLE: Final[Json] = {"credits": "7.5", "description": "Article 17, three drafts"}
BALANCE: Final[Json] = {
    "credits": 87.0,
    "plan_credits_per_month": 100.0,
    "credits_used_this_month": 3.0,
    "credits_remaining": 87.0,
    "usable": 97.0,
    "reserved": 10.0,
    "owed": 0.0,
    "overdraft": 0.0,
}
SETTINGS: Final[Json] = {
    "alert_below": "50",
    "top_up_below": "20",
    "top_up_package": f"cpkg_{_NO_ID}",
    "top_up_month_max_cents": 5000,
}
STAFF_SETTINGS: Final[Json] = {**SETTINGS, "overdraft": "25"}
PURCHASE: Final[Json] = {"payment_method": "manual"}
GRANT: Final[Json] = {
    "credits": "250",
    "reason": "Outage of 3 March",
    "source": "promotion",
    "priority": 10,
    "expires_at": "2199-12-31T00:00:00Z",
}
ADJUST: Final[Json] = {"credits": "-2.5", "reason": "Granted twice by mistake"}
REFUND: Final[Json] = {"idempotency_key": "job-81", "reason": "The image was never made"}
TRANSFER: Final[Json] = {
    "to_account": f"acct_{_NO_ID}",
    "credits": "40",
    "reason": "The two accounts were merged",
}
REVERSE: Final[Json] = {
    "invoice": f"inv_{_NO_ID}",
    "amount_cents": 450,
    "reason": "Half of it was refunded",
}
COST: Final[Json] = {
    "operation": "generate_content",
    "model": "large",
    "unit": "token",
    "unit_size": "1000",
    "credits_per_unit": "2",
    "minimum": "1",
    "rounding": "up",
    "step": "1",
}
END_COST: Final[Json] = {"effective_at": "2199-01-01T00:00:00Z"}
PACKAGE: Final[Json] = {
    "code": "small",
    "name": "Small package",
    "credits": "500",
    "currency": "USD",
    "amount_cents": 900,
    "expires_after_days": 365,
}
