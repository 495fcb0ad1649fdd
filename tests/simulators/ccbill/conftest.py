"""One simulator process for all of these tests, and somebody who receives its webhooks."""

from tests.ccbill import ccbill, ccbill_process, receiver

__all__ = ["ccbill", "ccbill_process", "receiver"]
