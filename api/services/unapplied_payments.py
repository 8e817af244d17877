"""Payments of partners that found no account: staff see them and apply each once."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.external_payments import PURPOSES
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.ledger import LedgerKind
from api.domain.money import format_money
from api.domain.service_accounts import Product, ServiceStatus
from api.services.closure_payments import gives_back
from api.services.external_payments import Recorded, credit, is_payable, lock_service
from api.services.ledger import Balance
from api.services.pages import Page, PageRequest, newest_first
from api.services.payment_effects import after_payment
from api.services.staff_acts import Act, put_on_record


@transactional
async def apply_payment(ports: Ports, act: Act, payment_id: UUID, service_account_id: UUID) -> Recorded:
    """Apply a payment that found no account to an open service, once; return it.

    A prepaid service that its holder closed takes it too, and gives it back by a refund: the money has no other way
    out. A repeat with the same service changes nothing. Raises Refused: NOT_FOUND, INVALID_STATE for a payment that is
    on another service already and for a product that takes no money by number, ACCOUNT_CLOSED.
    """
    refuse_if(act.faults())
    service, balance = await lock_service(service_account_id)
    payment = await fetch_one(
        "select * from payments where id = $1 and external_reference is not null for update", payment_id
    )
    faults = []
    if payment is None:
        faults.append(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("paymentId",)))
    if service is None:
        faults.append(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("serviceAccountId",)))
    refuse_if(faults)
    assert payment is not None
    assert service is not None
    if payment["applied_at"] is not None:
        if read_uuid(payment["service_account_id"]) == service_account_id:
            return Recorded(payment, True)
        facts = {"current_state": "APPLIED", "allowed_actions": ()}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "external_payments.applied_already", ("paymentId",), facts=facts))
    await _refuse_unless_payable(service)
    return Recorded(await _apply(ports, act, payment, service, balance), False)


async def _refuse_unless_payable(service: Row) -> None:
    path = ("serviceAccountId",)
    if not await is_payable(service):
        if service["status"] != ServiceStatus.ACTIVE.value:
            if await gives_back(service):
                return
            raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", path))
        facts = {"current_state": service["product"], "allowed_actions": ()}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "external_payments.takes_none", path, facts=facts))


async def _apply(ports: Ports, act: Act, payment: Row, service: Row, balance: Balance | None) -> Row:
    """Move the money to its service within the transaction under way; return the payment."""
    now, payment_id, account_id = ports.now(), read_uuid(payment["id"]), read_uuid(service["account_id"])
    await execute(
        "update payments set account_id = $1, service_account_id = $2, purpose = $3, applied_at = $4 where id = $5",
        account_id, read_uuid(service["id"]), PURPOSES[Product(service["product"])].value, now, payment_id,
    )  # fmt: skip
    applied = await fetch_one("select * from payments where id = $1", payment_id)
    assert applied is not None, "payments are never deleted"
    unapplied = (LedgerKind.UNAPPLIED_RECEIPTS, str(payment_id))
    moved = await credit(f"applied:{payment_id}", unapplied, applied, balance, now)
    amount = format_money(applied["amount"], "en")
    await put_on_record(
        ports,
        act,
        "staff_applied_payment",
        account_id=account_id,
        subject=payment_id,
        facts={"service_account": str(read_uuid(service["id"])), "amount": amount},
        shown={"amount": amount, "number": service["number"]},
    )
    await after_payment(ports, applied, moved)
    return applied


async def unapplied_page(request: PageRequest) -> Page:
    """Return the payments that wait for staff, newest first."""
    return await newest_first(
        "select * from payments where applied_at is null and external_reference is not null",
        [],
        [("id", UUID)],
        request,
    )
