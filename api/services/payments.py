"""Payments: a quote is paid with a card, once; see `charges` for how the money moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, fetch_one, read_json, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.charge_lines import Line
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.payments import DeclineReason, PaymentChannel, PaymentPurpose, PaymentStatus, may_return_to
from api.services import charges
from api.services.card_tries import card_tries, cards_at_once_fault, count_declines, tries_fault, was_declined
from api.services.charges import payment_row
from api.services.idempotency import claim_key, find_result
from api.services.ledger import lock_balance
from api.services.pages import Page, PageRequest, newest_first
from api.services.payables import no_longer_payable
from api.services.payment_methods import find_method, is_expired
from api.services.spending import cap_fault, lock_spending
from api.services.waiting_payments import make_way_for_quote


@dataclass(frozen=True, slots=True)
class Order:
    """What the holder asked to pay. `client` is the client's address, whose declines count (rule 38a)."""

    quote_id: UUID
    method_id: UUID
    return_url: str | None
    idempotency_key: str
    client: str = ""


class Paid(NamedTuple):
    """A payment as it stands, whether the key was used before, and why it failed if it did."""

    payment: Row
    replayed: bool
    faults: tuple[Fault, ...]


class Intent(NamedTuple):
    """A payment that was committed to; the card's row where it is this call that has it charged."""

    payment: Row
    method: Row | None


async def pay(ports: Ports, account_id: UUID, order: Order) -> Paid:
    """Pay a quote with a card, once, whatever the key. Raises Refused before the processor is asked, and keeps the key
    free then; a decline uses the key and comes back with the payment."""
    refuse_return_url(ports, order)
    await make_way_for_quote(ports, account_id, order.quote_id, order.idempotency_key)
    return await send(ports, account_id, order, await _begin(ports, account_id, order))


def refuse_return_url(ports: Ports, order: Order) -> None:
    """Raise Refused where the bank's page may not lead back there."""
    if order.return_url is not None and not may_return_to(order.return_url, ports.return_urls):
        raise Refused(Fault(ErrorCode.INVALID, "payments.return_url", ("input", "returnUrl")))


async def send(ports: Ports, account_id: UUID, order: Order, intent: Intent) -> Paid:
    """Have a committed intent charged, unless an earlier call did; return the payment as it then stands."""
    payment = intent.payment
    if intent.method is not None:
        card = charges.CardOf(str(account_id), intent.method["card_token"])
        payment = await charges.send(ports, payment, card, order.return_url)
        if order.client and was_declined(payment):
            # The account's count is kept where the payment is settled.
            await count_declines(ports, card_tries(client=order.client))
    return Paid(payment, intent.method is None, decline_faults(payment))


def decline_faults(payment: Row) -> tuple[Fault, ...]:
    """Return why a payment failed, as an error; empty while it has not."""
    if payment["status"] != PaymentStatus.FAILED.value:
        return ()
    reason = DeclineReason(payment["decline_reason"] or DeclineReason.OTHER.value)
    if reason is DeclineReason.CARD_EXPIRED:
        return (Fault(ErrorCode.PAYMENT_METHOD_EXPIRED, "payments.card_expired", ("input", "paymentMethodId")),)
    retryable = reason in (DeclineReason.INSUFFICIENT_FUNDS, DeclineReason.PROCESSOR_UNAVAILABLE)
    facts = {"reason": reason, "retryable": retryable}
    key = f"payments.declined_{reason.value.lower()}"
    return (Fault(ErrorCode.PAYMENT_DECLINED, key, ("input", "paymentMethodId"), facts=facts),)


@transactional
async def _begin(ports: Ports, account_id: UUID, order: Order) -> Intent:
    """Commit the intent to pay a quote, under its key."""
    quote = await quote_of(account_id, order)
    if PaymentPurpose(quote["purpose"]) is PaymentPurpose.SUBSCRIPTION:
        raise Refused(Fault(ErrorCode.INVALID, "payments.use_subscribe", ("input", "quoteId")))
    return await commit_to(ports, account_id, order, quote, "pay")


async def quote_of(account_id: UUID, order: Order) -> Row:
    """Return the account's quote that is to be paid; raises Refused with NOT_FOUND."""
    quote = await fetch_one("select * from quotes where id = $1 and account_id = $2", order.quote_id, account_id)
    if quote is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "quoteId")))
    return quote


async def commit_to(
    ports: Ports,
    account_id: UUID,
    order: Order,
    quote: Row,
    mutation: str,
    facts: Mapping[str, str] | None = None,
    faults: Sequence[Fault] = (),
) -> Intent:
    """Commit, within the transaction under way, to have a quote charged under the order's key.

    `facts` are further inputs that a replay must repeat, `faults` reasons of the caller's to refuse anything but a
    replay. Raises Refused with all reasons at once.
    """
    service_id = read_uuid(quote["service_account_id"]) if quote["service_account_id"] else None
    balance = await lock_balance(service_id) if service_id else None
    await lock_spending(account_id)
    await fetch_one("select id from quotes where id = $1 for update", order.quote_id)
    paid = await fetch_one("select * from payments where quote_id = $1", order.quote_id)
    payment_id = read_uuid(paid["id"]) if paid else uuid7()
    same = {"quote": str(order.quote_id), "method": str(order.method_id), **(facts or {})}
    claimed = await claim_key(account_id, order.idempotency_key, mutation, same, payment_id, ports.now())
    if not claimed.is_new or paid is not None:
        return Intent(await payment_row(claimed.result_id), None)
    method = await find_method(account_id, order.method_id)
    refuse_if([*faults, *await _faults(ports, account_id, order, quote, method)])
    assert method is not None, "a missing card is a fault"
    intent = charges.Intent(
        payment_id=payment_id,
        account_id=account_id,
        service_account_id=service_id,
        method_id=order.method_id,
        purpose=PaymentPurpose(quote["purpose"]),
        channel=PaymentChannel.CARD_ONLINE,
        lines=[Line.of(kept) for kept in read_json(quote["lines"])],
        quote_id=order.quote_id,
        plan_id=read_uuid(quote["plan_id"]) if quote["plan_id"] else None,
        invoice_id=read_uuid(quote["invoice_id"]) if quote["invoice_id"] else None,
        stamps=quote["stamps"],
    )
    return Intent(await charges.begin(ports, intent, balance), method)


async def _faults(ports: Ports, account_id: UUID, order: Order, quote: Row, method: Row | None) -> list[Fault]:
    """Return all reasons not to charge; the balance and the account's spending are locked."""
    now, quote_path, card_path = ports.now(), ("input", "quoteId"), ("input", "paymentMethodId")
    faults = []
    if method is None:
        faults.append(Fault(ErrorCode.NOT_FOUND, "errors.not_found", card_path))
    elif is_expired(method["expiry_month"], method["expiry_year"], now):
        faults.append(Fault(ErrorCode.PAYMENT_METHOD_EXPIRED, "payments.card_expired", card_path))
    if read_time(quote["expires_at"]) <= now:
        faults.append(Fault(ErrorCode.QUOTE_EXPIRED, "payments.quote_expired", quote_path))
    faults += await no_longer_payable(account_id, quote)
    if fault := await cap_fault(account_id, quote["total"], now, *quote_path):
        faults.append(fault)
    if not faults and (fault := await tries_fault(ports, card_tries(account_id=account_id, client=order.client))):
        faults.append(fault)
    if not faults and (fault := await cards_at_once_fault(ports, account_id, order.method_id)):
        faults.append(fault)
    return faults


async def payment_of(account_id: UUID, payment_id: UUID) -> Row | None:
    """Return a payment of this account, or None."""
    return await fetch_one("select * from payments where id = $1 and account_id = $2", payment_id, account_id)


async def last_funding(service_account_id: UUID) -> Row | None:
    """Return the last payment that funded a service and was not charged back, or None (rule 23)."""
    return await fetch_one(
        "select * from payments where service_account_id = $1 and status in ('SUCCEEDED', 'PARTIALLY_REFUNDED',"
        " 'REFUNDED') order by settled_at desc, id desc limit 1",
        service_account_id,
    )


async def payment_by_key(ports: Ports, account_id: UUID, key: str) -> Row | None:
    """Return what a payment's idempotency key led to, or None: then nothing was charged for it.

    A front end asks this when its holder comes back from the bank's page, so what waits there is looked at at once.
    """
    payment_id = await find_result(account_id, key, "pay", "subscribe")
    payment = await payment_of(account_id, payment_id) if payment_id else None
    if payment is not None and payment["status"] == PaymentStatus.REQUIRES_ACTION.value:
        await charges.wake(ports, read_uuid(payment["id"]))
    return payment


async def payments_page(account_id: UUID, request: PageRequest) -> Page:
    """Return an account's payments, newest first."""
    return await newest_first("select * from payments where account_id = $1", [account_id], [("id", UUID)], request)


async def deposits_page(service_account_id: UUID, request: PageRequest) -> Page:
    """Return the payments into a service, newest first."""
    query = "select * from payments where service_account_id = $1"
    return await newest_first(query, [service_account_id], [("id", UUID)], request)
