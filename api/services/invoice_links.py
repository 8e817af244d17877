"""An invoice's link: shows it and pays it, to whoever holds the link, without signing in (rule 24).

The link is derived from the invoice's id. It pays until the invoice is paid or void, and still shows it
after that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, fetch_one, read_uuid, transactional
from api.adapters.payments import CardRefused, ProcessorUnavailable
from api.adapters.ports import Ports
from api.auth.limits import Limit, count_try, take_back
from api.domain.charge_lines import Line
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.money import cents_of
from api.domain.payments import PaymentChannel, PaymentPurpose, may_return_to
from api.services import charges
from api.services.card_tries import card_tries, count_declines, refuse_card_tries, was_declined
from api.services.idempotency import claim_key, find_result
from api.services.invoices import LINK, is_unpaid
from api.services.ledger import lock_balance
from api.services.named_links import read_named_token
from api.services.payment_methods import TOKEN_LENGTH_MAX
from api.services.payments import decline_faults
from api.services.waiting_payments import make_way_for_invoice

_MUTATION = "payInvoiceByLink"
_UNDECIDED = ("PROCESSING", "REQUIRES_ACTION")


@dataclass(frozen=True, slots=True)
class LinkOrder:
    """What the bearer of a link asked to pay; `amount` is what the invoice showed as due."""

    link: str
    amount: Decimal
    provider_token: str
    return_url: str | None
    idempotency_key: str
    client: str = ""


class Linked(NamedTuple):
    """An invoice as it stands, the payment that its link last began, and what a request to pay it came to."""

    invoice: Row
    payment: Row | None
    replayed: bool = False
    faults: tuple[Fault, ...] = ()


async def linked_invoice(ports: Ports, link: str) -> Linked | None:
    """Return what a link shows, or None when it is none."""
    invoice_id = read_named_token(ports.secrets, LINK, link)
    return await as_it_stands(invoice_id) if invoice_id else None


async def as_it_stands(invoice_id: UUID) -> Linked | None:
    """Return an invoice as its link shows it, or None where there is none."""
    invoice = await fetch_one("select * from invoices where id = $1", invoice_id)
    payment = await fetch_one(
        "select * from payments where invoice_id = $1 order by case when status in ($2, $3) then 0 else 1 end, id desc"
        " limit 1",
        invoice_id, *_UNDECIDED,
    )  # fmt: skip
    return Linked(invoice, payment) if invoice else None


async def pay_by_link(ports: Ports, order: LinkOrder) -> Linked:
    """Pay all that is due on an invoice with a card, once per key, and only while no other payment of it is under way.

    Raises Refused before the card is charged: TOKEN_INVALID, STALE when `amount` is not what is due, INVALID_STATE when
    nothing is due or a payment is under way, RATE_LIMITED after too many declined cards. A decline uses the key.
    """
    invoice_id = read_named_token(ports.secrets, LINK, order.link)
    invoice = await fetch_one("select * from invoices where id = $1", invoice_id) if invoice_id else None
    if invoice_id is None or invoice is None:
        raise Refused(Fault(ErrorCode.TOKEN_INVALID, "errors.token_invalid", ("link",)))
    cents = _check(ports, order)
    card = None
    # A replay asks the processor for nothing.
    if await find_result(invoice_id, order.idempotency_key, _MUTATION) is None:
        if is_unpaid(invoice) and invoice["due"] == cents:
            await make_way_for_invoice(ports, invoice_id)
            invoice = await fetch_one("select * from invoices where id = $1", invoice_id)
            assert invoice is not None, "invoices are never deleted"
        await _refuse_unless_payable(invoice, cents)
        card = await _attach(ports, invoice_id, order)
    payment, is_new = await _begin(ports, invoice_id, order, cents, may_charge=card is not None)
    if is_new and card is not None:
        payment = await charges.send(ports, payment, charges.CardOf(str(invoice_id), card), order.return_url)
        if was_declined(payment):
            # The link's count is kept where the payment is settled.
            await count_declines(ports, card_tries(client=order.client))
    shown = await as_it_stands(invoice_id)
    assert shown is not None, "invoices are never deleted"
    faults = tuple(replace(fault, path=("providerToken",)) for fault in decline_faults(payment))
    return Linked(shown.invoice, payment, not is_new, faults)


def _check(ports: Ports, order: LinkOrder) -> int:
    """Return the amount in cents; raises Refused with all that is wrong in itself."""
    faults, cents = [], 0
    try:
        cents = cents_of(order.amount)
    except ValueError:
        faults.append(Fault(ErrorCode.INVALID, "payments.amount_places", ("amount",)))
    if not faults and cents <= 0:
        faults.append(Fault(ErrorCode.INVALID, "payments.amount_not_positive", ("amount",)))
    if not 1 <= len(order.provider_token) <= TOKEN_LENGTH_MAX or not order.provider_token.isprintable():
        faults.append(Fault(ErrorCode.INVALID, "errors.invalid", ("providerToken",)))
    if order.return_url is not None and not may_return_to(order.return_url, ports.return_urls):
        faults.append(Fault(ErrorCode.INVALID, "payments.return_url", ("returnUrl",)))
    if faults:
        raise Refused(*faults)
    return cents


async def _refuse_unless_payable(invoice: Row, cents: int) -> None:
    if not is_unpaid(invoice):
        raise _not_now(invoice["status"])
    under_way = await fetch_one(
        "select status from payments where invoice_id = $1 and status in ($2, $3) limit 1",
        read_uuid(invoice["id"]), *_UNDECIDED,
    )  # fmt: skip
    if under_way is not None:
        raise _not_now(under_way["status"])
    if invoice["due"] != cents:
        raise Refused(Fault(ErrorCode.STALE, "invoices.amount_changed", ("amount",), facts={"changed": ("due",)}))


def _not_now(state: str) -> Refused:
    key = "invoices.payment_under_way" if state in _UNDECIDED else "invoices.nothing_due"
    facts = {"current_state": state, "allowed_actions": ()}
    return Refused(Fault(ErrorCode.INVALID_STATE, key, ("link",), facts=facts))


async def _attach(ports: Ports, invoice_id: UUID, order: LinkOrder) -> str:
    """Return the processor's token for charging the card; a refused card counts as declined."""
    of_client = card_tries(client=order.client)
    await refuse_card_tries(ports, of_client)
    # Counted before the card is tried, so that many tries at once are no way around; taken back unless it is declined.
    counted = (Limit.DECLINES_PER_LINK, str(invoice_id))
    await count_try(ports, counted)
    try:
        card = await ports.processor.attach(order.provider_token, customer=str(invoice_id))
    except CardRefused as refusal:
        await count_declines(ports, of_client)
        facts = {"reason": refusal.reason, "retryable": False}
        raise Refused(
            Fault(ErrorCode.PAYMENT_DECLINED, "payments.card_refused", ("providerToken",), facts=facts)
        ) from refusal
    except ProcessorUnavailable as error:
        await take_back(ports, *counted)
        raise Refused(Fault(ErrorCode.UNAVAILABLE, "payments.processor_unavailable")) from error
    await take_back(ports, *counted)
    return card.id


@transactional
async def _begin(ports: Ports, invoice_id: UUID, order: LinkOrder, cents: int, *, may_charge: bool) -> tuple[Row, bool]:
    """Commit to a charge under the order's key; return the payment, and whether it is new."""
    invoice = await fetch_one("select * from invoices where id = $1", invoice_id)
    assert invoice is not None, "invoices are never deleted"
    service_id = read_uuid(invoice["service_account_id"])
    balance = await lock_balance(service_id)
    invoice = await fetch_one("select * from invoices where id = $1 for update", invoice_id)
    assert invoice is not None
    facts = {"amount": cents, "token": order.provider_token}
    claimed = await claim_key(invoice_id, order.idempotency_key, _MUTATION, facts, uuid7(), ports.now())
    if not claimed.is_new:
        return await charges.payment_row(claimed.result_id), False
    assert may_charge, "keys are never dropped"
    await _refuse_unless_payable(invoice, cents)
    intent = charges.Intent(
        payment_id=claimed.result_id,
        account_id=None,
        service_account_id=service_id,
        method_id=None,
        purpose=PaymentPurpose.PAY_INVOICE,
        channel=PaymentChannel.CARD_ONLINE,
        lines=[Line("payments.line_invoice", cents)],
        invoice_id=invoice_id,
    )
    return await charges.begin(ports, intent, balance), True
