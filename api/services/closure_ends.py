"""What a closing ends at once, within its transaction: services, phones, AutoPay, TextPay, plans, stamps and access."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from api.adapters.database import Row, execute, fetch, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.ledger import LedgerKind, Leg, TransactionKind, Unit, UpdateCause
from api.domain.plans import SubscriptionStatus
from api.domain.service_accounts import Product, ServiceStatus
from api.services import sign_in_begins
from api.services.auto_pays import end_auto_pay
from api.services.closure_facts import Facts
from api.services.email_changes import end_email_change
from api.services.ledger import OPERATOR, Balance, post, save
from api.services.renewal_outcomes import end_renewal
from api.services.reset_ends import end_resets
from api.services.subscription_states import change
from api.services.text_pay_ends import end_text_pay
from api.services.top_up_charges import forget_sending
from api.services.used_emails import remember

SETTLED_LATER = frozenset({Product.ADVANCE_CONNECT, Product.DIRECT_BILL})
"""Products with calls, whose late records are waited for; the others are over at once."""


async def end_services(ports: Ports, closure_id: UUID, facts: Facts, now: datetime) -> list[UUID]:
    """End services and all that hangs on them; watchers of their balances are told a last time.

    Return the charges of AutoPay and TextPay that were begun and are not decided: to be withdrawn after the commit.
    """
    in_flight: list[UUID] = []
    for row in facts.services:
        service_id, product = read_uuid(row["id"]), Product(row["product"])
        status = ServiceStatus.CLOSING if product in SETTLED_LATER else ServiceStatus.CLOSED
        await execute(
            "update service_accounts set status = $1, open_key = null, closed_at = $2 where id = $3",
            status.value, now if status is ServiceStatus.CLOSED else None, service_id,
        )  # fmt: skip
        await execute(
            "update account_phones set live_phone = null, removed_at = $1"
            " where service_account_id = $2 and live_phone is not null",
            now, service_id,
        )  # fmt: skip
        in_flight += await _end_top_ups(ports, service_id)
        balance = facts.balances.get(service_id)
        if balance is not None:
            await _end_balance(closure_id, balance, now)
    return in_flight


async def _end_top_ups(ports: Ports, service_id: UUID) -> list[UUID]:
    """End AutoPay, TextPay and alerts of a service; what the processor has of a charge by then joins the refund."""
    await end_auto_pay(ports, service_id)
    await end_text_pay(ports, service_id)
    await execute("delete from low_balance_alerts where service_account_id = $1", service_id)
    rows = await fetch(
        "select id from payments where service_account_id = $1 and status = 'PROCESSING'"
        " and channel in ('AUTOPAY', 'TEXTPAY') order by id limit 100",
        service_id,
    )
    in_flight = [read_uuid(row["id"]) for row in rows]
    for payment_id in in_flight:
        await forget_sending(payment_id)
    return in_flight


async def _end_balance(closure_id: UUID, balance: Balance, now: datetime) -> None:
    entry = None
    if balance.product is Product.EMESSAGING and balance.posted > 0:
        own = (LedgerKind.STAMPS, str(balance.service_account_id))
        leg = Leg(own, (LedgerKind.STAMPS_ISSUED, OPERATOR), balance.posted, Unit.STAMP)
        moved, entry = await post(
            f"closure:{closure_id}:stamps", [leg], now=now, occurred_at=now, balance=balance, own=own,
            kind=TransactionKind.WRITE_OFF,
        )  # fmt: skip
        assert moved is not None
        balance = moved
    # Nothing follows from a low balance any more.
    await save(replace(balance, low_below=None), now, UpdateCause.CLOSURE, entry)


async def end_subscriptions(ports: Ports, subscriptions: Sequence[Row], now: datetime) -> list[UUID]:
    """End plans at once, without a refund (rule 25); return renewals under way, to be withdrawn after the commit."""
    in_flight = []
    for row in subscriptions:
        if renewal_id := await end_renewal(row):
            in_flight.append(renewal_id)
        await change(ports, row, SubscriptionStatus.CANCELLED_BY_CLOSURE, access_until=now)
    return in_flight


async def end_access(ports: Ports, account: Row, now: datetime) -> None:
    """Let nobody in any more, and end what waits: resets, changes of the address, codes, sign-ups at the address."""
    account_id = read_uuid(account["id"])
    await execute("update accounts set status = $1 where id = $2", AccountStatus.CLOSING.value, account_id)
    await remember(ports, account["email_key"], account["locale"], now)
    await end_resets(account_id)
    await end_email_change(account_id)
    await execute("delete from challenges where owner = $1", account_id)
    await execute("delete from deletion_codes where account_id = $1", account_id)
    await execute("delete from pending_sign_ups where email_key = $1", account["email_key"])


async def end_sign_ins(ports: Ports, account_id: UUID) -> None:
    """End all sign-ins and their sockets; told last, so that they hear what came before."""
    await sign_in_begins.end(ports, account_id, None)
