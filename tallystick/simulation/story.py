"""Telling a scenario: a test clock moves from step to step, through the product's own services."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import takewhile
from typing import Final, assert_never
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.api.services import Services
from tallystick.catalog import offers
from tallystick.catalog import service as catalog
from tallystick.credits import grants
from tallystick.credits.amounts import to_units
from tallystick.credits.model import NewGrant
from tallystick.invoices import prepaid
from tallystick.invoices.add_on_bills import end_add_on, sell_add_on
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel import test_clocks
from tallystick.kernel.advancer import Advancer
from tallystick.kernel.db import WRITER, Connection
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import new_id, show
from tallystick.kernel.outbox import Teller
from tallystick.metering import service as metering
from tallystick.metering.model import EVENTS_MAX, UsageEvent
from tallystick.money.amount import Money
from tallystick.payments import methods
from tallystick.plan_migrations.jobs import PlanMigrations
from tallystick.simulation import gateway as gateways
from tallystick.simulation import scenario as steps
from tallystick.simulation.checks import names_of
from tallystick.simulation.gateway import ToldGateway
from tallystick.simulation.notes import issue_note
from tallystick.simulation.plans import is_billed_as_it_comes, migrate, plans_of, sell
from tallystick.simulation.reads import all_invoices
from tallystick.simulation.recorder import Recorder
from tallystick.simulation.refusals import as_steps, named_place, renamed_field
from tallystick.simulation.scenario import Scenario, Step
from tallystick.simulation.taxing import add_rate, add_rates, change_account, make_issuer
from tallystick.simulation.usage_times import usage_times
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.add_ons import Asked as AskedAddOn
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Status as SubscriptionStatus
from tallystick.work import account_kinds, event_handlers

SOURCE: Final = "scenario"

Progress = Callable[[int], None]
"""Told how many more steps are done."""


class Told(msgspec.Struct, frozen=True):
    """A story that was told: whose it is, how things are called, what was told on the way."""

    account: Account
    subscriptions: dict[UUID, str]
    recorder: Recorder
    ended_at: datetime


class Story:
    """One scenario on one database."""

    def __init__(self, services: Services, gateway: ToldGateway, scenario: Scenario) -> None:
        self._services = services
        self._db = services.db
        self._gateway = gateway
        self._scenario = scenario
        self._names = names_of(scenario.steps)
        self._used_at = usage_times(scenario.steps)
        self._subscriptions: dict[str, UUID] = {}
        self._add_ons: dict[str, UUID] = {}
        self._clock_id = new_id()
        self._now = scenario.steps[0].at
        self.recorder = Recorder(event_handlers(services), self._present)
        tell = Teller(services.db, self.recorder).run_due
        self._advancer = Advancer(services.db, services.clock, account_kinds(services), tell)

    async def tell(self, progress: Progress) -> Told:
        """Do every step; raises BadInput `step_refused` that names the one which can not be."""
        async with self._db.transaction(WRITER) as conn:
            await self._make_catalog(conn)
            self._account = await self._make_account(conn)
        at = 0
        while at < len(self._scenario.steps):
            count = await self._tell_from(at)
            progress(count)
            at += count
        named = {subscription_id: name for name, subscription_id in self._subscriptions.items()}
        return Told(self._account, named, self.recorder, self._now)

    @property
    def _is_watched(self) -> bool:
        """Whether a plan bills usage as it comes: then each event is by itself."""
        return any(is_billed_as_it_comes(plan) for plan in plans_of(self._scenario))

    async def _present(self) -> datetime:
        async with self._db.transaction(WRITER) as conn:
            return (await test_clocks.get(conn, self._clock_id)).now_at

    # -- what there is --

    async def _make_catalog(self, conn: Connection) -> None:
        for at, meter in enumerate(self._scenario.meters):
            with named_place(f"meters[{at}]"):
                await metering.create_meter(conn, meter, self._now)
        for at, plan in enumerate(self._scenario.plans):
            with named_place(f"plans[{at}]"):
                await sell(conn, plan, self._scenario.account.currency, self._now)
        for at, add_on in enumerate(self._scenario.add_ons):
            with named_place(f"add_ons[{at}]"):
                await offers.create_add_on(conn, add_on, self._now)
        for at, coupon in enumerate(self._scenario.coupons):
            with named_place(f"coupons[{at}]"):
                await offers.create_coupon(conn, coupon, self._now)

    async def _make_account(self, conn: Connection) -> Account:
        facts = msgspec.structs.asdict(self._scenario.account)
        with named_place("account"):
            percent = facts["tax_percent"]
            facts["tax_percent"] = None if percent is None else _decimal("tax_percent", percent)
            await test_clocks.create(conn, self._clock_id, "scenario", self._now, self._now)
            await self._make_seller(conn)
            new = NewAccount(**facts, test_clock_id=self._clock_id)
            return await accounts.create_account(conn, new, self._now)

    async def _make_seller(self, conn: Connection) -> None:
        facts = self._scenario.issuer
        if facts is not None:
            with named_place("issuer"):
                await make_issuer(conn, facts, self._services.seller, self._now)
        await add_rates(conn, self._scenario.tax_rates, self._now)

    # -- what happens --

    async def _tell_from(self, at: int) -> int:
        """Tell the step at this place, or all usage from there until something is due."""
        step = self._scenario.steps[at]
        with named_place(f"steps[{at}]"):
            await self._advance(step.at)
        if isinstance(step, steps.Usage):
            return await self._use(at)
        with named_place(f"steps[{at}]"):
            await self._do(at, step)
            await self._advancer.finish(self._clock_id)
            await self._need_billed()
        return 1

    async def _advance(self, to: datetime) -> None:
        """Move the clock; in a refusal `to` is the step's `at`."""
        self._now = to
        with renamed_field("to", "at"):
            async with self._db.transaction(WRITER) as conn:
                await test_clocks.aim(conn, self._clock_id, to)
        await self._advancer.finish(self._clock_id)
        await self._need_billed()

    async def _do(self, at: int, step: Step) -> None:
        match step:
            case steps.Subscribe():
                await self._subscribe(self._names[at], step)
            case steps.ChangePlan() | steps.Cancel() | steps.Pause():
                await self._change(step)
            case steps.Resume() | steps.Reactivate():
                await self._go_on(step)
            case steps.GrantCredits():
                await self._grant(at, step)
            case steps.Prepay() | steps.RedeemCoupon():
                await self._receive(at, step)
            case (
                steps.IssueCreditNote()
                | steps.NewVersion()
                | steps.MigratePlan()
                | steps.ChangeAccount()
                | steps.AddTaxRate()
            ):
                await self._do_as_staff(step)
            case steps.AddAddOn() | steps.RemoveAddOn():
                await self._change_add_ons(step)
            case steps.Pay():
                await self._pay(at, step)
            case steps.Advance() | steps.Usage():
                pass
            case _:
                assert_never(step)

    async def _do_as_staff(
        self,
        step: steps.IssueCreditNote
        | steps.NewVersion
        | steps.MigratePlan
        | steps.ChangeAccount
        | steps.AddTaxRate,
    ) -> None:
        async with self._db.transaction(WRITER) as conn:
            match step:
                case steps.IssueCreditNote():
                    await issue_note(conn, self._account.account_id, step)
                case steps.NewVersion():
                    await sell(conn, step.plan, self._account.currency, step.at)
                case steps.ChangeAccount():
                    self._account = await change_account(conn, self._account, step)
                case steps.AddTaxRate():
                    await add_rate(conn, step.rate, step.at)
                case steps.MigratePlan():
                    await migrate(conn, PlanMigrations(self._db, self._services.seller), step)

    async def _subscribe(self, name: str, step: steps.Subscribe) -> None:
        async with self._db.transaction(WRITER) as conn:
            plan = await catalog.current_plan_version(conn, step.plan)
            start = Start(
                starts_at=step.starts_at,
                quantity=step.quantity,
                billing_time=step.billing_time,
                anchor_on=step.anchor_on,
                trial_days=step.trial_days,
                trial_end=step.trial_end,
                must_pay_first=step.must_pay_first,
                invoice_separately=step.invoice_separately,
                ends_at=step.ends_at,
            )
            made = await subscriptions.subscribe(conn, self._account, plan, step.at, start)
        self._subscriptions[name] = made.subscription_id

    async def _change(self, step: steps.ChangePlan | steps.Cancel | steps.Pause) -> None:
        named = self._account.account_id, self._subscription(step.subscription)
        async with self._db.transaction(WRITER) as conn:
            match step:
                case steps.ChangePlan():
                    plan = (
                        await catalog.current_plan_version(conn, step.plan) if step.plan else None
                    )
                    await changing.change_terms(
                        conn, *named, plan=plan, quantity=step.quantity,
                        when=step.effective_at or step.when, now=step.at,
                    )  # fmt: skip
                case steps.Cancel(when="now"):
                    await changing.cancel_now(conn, *named, step.at, step.remainder)
                case steps.Cancel():
                    await changing.cancel_at_period_end(conn, *named, step.at, step.remainder)
                case steps.Pause():
                    await changing.pause(conn, *named, step.at, step.resumes_at)

    async def _go_on(self, step: steps.Resume | steps.Reactivate) -> None:
        named = self._account.account_id, self._subscription(step.subscription)
        async with self._db.transaction(WRITER) as conn:
            if isinstance(step, steps.Reactivate):
                await changing.reactivate(conn, *named, step.at)
                return
            found = await subscriptions.get_subscription(conn, *named)
            go_on = changing.resume if found.status is SubscriptionStatus.PAUSED else changing.keep
            await go_on(conn, *named, step.at)

    async def _grant(self, at: int, step: steps.GrantCredits) -> None:
        new = NewGrant(
            source="manual",
            units=to_units(_decimal("amount", step.amount), "amount"),
            priority=step.priority,
            expires_at=step.expires_at,
            reason=step.reason,
        )
        async with self._db.transaction(WRITER) as conn:
            key = f"{SOURCE}:{at}"
            await grants.grant(conn, self._account.account_id, new, key=key, at=step.at)

    async def _receive(self, at: int, step: steps.Prepay | steps.RedeemCoupon) -> None:
        named, currency = self._account.account_id, self._account.currency
        async with self._db.transaction(WRITER) as conn:
            if isinstance(step, steps.RedeemCoupon):
                await offers.redeem_coupon(conn, named, currency, step.code, step.at)
                return
            amount = Money.from_decimal(_decimal("amount", step.amount), currency)
            key, why = f"{SOURCE}:{at}", "Paid before"
            await prepaid.receive(conn, named, amount, key=key, reason=why, at=step.at)

    async def _change_add_ons(self, step: steps.AddAddOn | steps.RemoveAddOn) -> None:
        whose, seller = self._account.account_id, self._services.seller
        async with self._db.transaction(WRITER) as conn:
            if isinstance(step, steps.RemoveAddOn):
                await end_add_on(
                    conn, whose, self._add_ons[step.add_on], None, now=step.at, seller=seller
                )
                return
            on = self._subscription(step.subscription)
            asked = AskedAddOn(
                quantity=step.quantity, starts_at=step.starts_at, ends_at=step.ends_at
            )
            made = await sell_add_on(
                conn, whose, on, step.add_on, asked, now=step.at, seller=seller
            )
        named = made.subscription_add_on_id
        self._add_ons |= {step.add_on: named, step.name or step.add_on: named}

    async def _pay(self, at: int, step: steps.Pay) -> None:
        await self._save_card(step.at)
        self._gateway.answer = step.outcome
        invoice = await self._payable(step.invoice)
        key = f"{SOURCE}:{at}"
        await self._services.collector.pay_invoice(
            self._account.account_id, invoice.invoice_id, request_key=key
        )

    async def _payable(self, number: str | None) -> Invoice:
        """Return the invoice with this number, or the oldest open one."""
        async with self._db.transaction(WRITER) as conn:
            found = await all_invoices(conn, self._account.account_id)
        wanted = [one for one in found if _is_payable(one, number)]
        if not wanted:
            field = "outcome" if number is None else "invoice"
            message = "no invoice is open" if number is None else f'no invoice "{number}"'
            raise BadInput.field(field, "invoice_not_found", message)
        return wanted[0]

    async def _save_card(self, at: datetime) -> None:
        """Save the account's card before it pays for the first time."""
        account_id = self._account.account_id
        await self._services.card_setup.ensure_customer(account_id, gateways.NAME)
        card = await self._gateway.describe_method(gateways.CARD)
        async with self._db.transaction(WRITER) as conn:
            await methods.save(conn, account_id, gateways.NAME, card, at)

    async def _use(self, at: int) -> int:
        """Record this event, and those after it as long as nothing falls due between them."""
        due = await self._advancer.next_due(self._clock_id)
        following = self._scenario.steps[at : at + EVENTS_MAX]
        batch = [
            one
            for one in takewhile(lambda one: isinstance(one, steps.Usage), following)
            if isinstance(one, steps.Usage)
        ]
        count = sum(1 for _ in takewhile(lambda one: due is None or one.at < due, batch)) or 1
        if self._is_watched:
            count = 1
        with named_place(f"steps[{at + count - 1}]"):
            await self._advance(batch[count - 1].at)
        await self._record(at, batch[:count])
        if self._is_watched:
            with named_place(f"steps[{at}]"):
                await self._advancer.finish(self._clock_id)
                await self._need_billed()
        return count

    async def _record(self, at: int, batch: Sequence[steps.Usage]) -> None:
        subject = show("account", self._account.account_id)
        events = [
            UsageEvent(
                source=SOURCE,
                id=one.id or f"step-{at + place}",
                meter=one.meter,
                subject=subject,
                at=self._used_at[at + place],
                properties=one.properties,
            )
            for place, one in enumerate(batch)
        ]
        with as_steps(at):
            await self._services.ingest.record(events, now=self._services.clock())

    def _subscription(self, name: str | None) -> UUID:
        """Return the subscription with this name, or the newest one."""
        return self._subscriptions[name or list(self._subscriptions)[-1]]

    async def _need_billed(self) -> None:
        """Raise what keeps a subscription from being billed: the worker would try it for ever."""
        async with self._db.transaction(WRITER) as conn:
            known = await subscriptions.list_subscriptions(conn, self._account.account_id)
        for one in known:
            if one.bill_error is not None:
                raise BadInput("step_refused", f"it could not be billed: {one.bill_error}")
        failure = self.recorder.failure
        if failure is not None:
            raise BadInput("step_refused", f"{type(failure).__name__}: {failure}") from failure


def _is_payable(invoice: Invoice, number: str | None) -> bool:
    return invoice.status is Status.OPEN if number is None else invoice.number == number


def _decimal(field: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise BadInput.field(field, "not_a_decimal_string", 'must be such as "12.5"') from error
