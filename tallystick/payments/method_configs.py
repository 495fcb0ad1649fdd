"""Which ways of paying are offered where: by country, currency and account. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from tallystick.payments.requests import Capabilities

MANUAL: Final = "manual"
CARD: Final = "card"
US_BANK: Final = "us_bank_account"
BANK_TRANSFER: Final = "bank_transfer"
_NAMES: Final[Mapping[str, str]] = {
    CARD: "Card",
    US_BANK: "US bank account",
    BANK_TRANSFER: "Bank transfer",
}


class MethodConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A way of paying. Empty `countries` (ISO 3166-1) and `currencies` (ISO 4217): all of them.

    `instructions` tell the payer what to do. `is_restricted`: for named accounts alone. Lower
    positions come first.
    """

    code: str
    gateway: str
    type: str
    name: str
    instructions: str | None = None
    countries: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    is_restricted: bool = False
    position: int = 0
    is_active: bool = True

    def serves(self, country: str, currency: str) -> bool:
        """Tell whether it is offered there and in that currency."""
        return country in (self.countries or (country,)) and currency in (
            self.currencies or (currency,)
        )


def available(
    configs: Collection[MethodConfig],
    gateways: Mapping[str, Capabilities],
    country: str,
    currency: str,
) -> tuple[MethodConfig, ...]:
    """Return what is offered, in the order to show it.

    `configs` are all that there are, but those restricted to other accounts. A gateway that none
    of them names is offered as it is; one that is not set up here is not offered.
    """
    told = {config.gateway for config in configs}
    offers = [*configs, *(one for one in as_they_are(gateways) if one.gateway not in told)]
    return tuple(
        sorted(
            (one for one in offers if _is_offered(one, gateways) and one.serves(country, currency)),
            key=lambda one: (one.position, one.code),
        )
    )


def by_hand(configs: Iterable[MethodConfig]) -> tuple[MethodConfig, ...]:
    """Return those that a person pays and a person approves."""
    return tuple(config for config in configs if config.gateway == MANUAL)


def as_they_are(gateways: Mapping[str, Capabilities]) -> Iterator[MethodConfig]:
    """Yield what each gateway can do by itself; by hand it is a bank transfer, shown last."""
    for name, can in gateways.items():
        types = can.setups | ({CARD} if can.saves_tokens else frozenset())
        for kind in sorted(types):
            yield _plain(f"{name}_{kind}", name, kind)
    if MANUAL in gateways:
        yield msgspec.structs.replace(_plain(BANK_TRANSFER, MANUAL, BANK_TRANSFER), position=100)


def _plain(code: str, gateway: str, kind: str) -> MethodConfig:
    # Debits of US bank accounts are in US dollars alone (Stripe, ACH Direct Debit).
    is_us = kind == US_BANK
    return MethodConfig(
        code=code,
        gateway=gateway,
        type=kind,
        name=_NAMES.get(kind, kind),
        countries=("US",) if is_us else (),
        currencies=("USD",) if is_us else (),
    )


def _is_offered(config: MethodConfig, gateways: Mapping[str, Capabilities]) -> bool:
    return config.is_active and config.gateway in gateways
