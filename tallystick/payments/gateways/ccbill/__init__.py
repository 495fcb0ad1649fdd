"""CCBill: payment tokens, charges, rebills, refunds, webhooks, DataLink."""

from tallystick.payments.gateways.ccbill.adapter import CcbillGateway

__all__ = ["CcbillGateway"]
