"""Invoices that staff void: nobody pays them any more, by account, by link or through a partner (rules 24, 39)."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.ledger import LedgerKind, Leg, TransactionKind, UpdateCause
from api.domain.money import format_money
from api.domain.service_accounts import ServiceStatus
from api.services.closure_payments import after_void
from api.services.external_payments import lock_service
from api.services.idempotency import claim_key
from api.services.invoices import is_unpaid, void_one
from api.services.ledger import OPERATOR, Balance, post, save
from api.services.staff_acts import Act, put_on_record

_PATH = ("invoiceId",)


class Voided(NamedTuple):
    """The invoice as it stands, and whether the key was used before."""

    invoice: Row
    replayed: bool


@transactional
async def void_invoice(ports: Ports, act: Act, invoice_id: UUID, idempotency_key: str) -> Voided:
    """Void an invoice on which something is due, once per key of the member of staff.

    What was paid of it stays paid. What is due goes back to what is unbilled of an open service, for its next invoice,
    and is written off where the service is closed, since no invoice follows there. Raises Refused: what is wrong with
    the reason, NOT_FOUND, INVALID_STATE where nothing is due or while a payment of it is under way,
    IDEMPOTENCY_CONFLICT.
    """
    refuse_if(act.faults())
    found = await fetch_one("select service_account_id from invoices where id = $1", invoice_id)
    service, balance = await lock_service(read_uuid(found["service_account_id"]) if found else None)
    invoice = await fetch_one("select * from invoices where id = $1 for update", invoice_id)
    if service is None or balance is None or invoice is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", _PATH))
    facts = {"invoice": str(invoice_id), "reason": act.reason.strip()}
    claimed = await claim_key(act.staff_id, idempotency_key, "staffVoidInvoice", facts, uuid7(), ports.now())
    if not claimed.is_new:
        return Voided(invoice, True)
    await _refuse_unless_voidable(invoice)
    await _post(ports, invoice, balance, is_closed=service["status"] == ServiceStatus.CLOSED.value)
    await void_one(ports, invoice)
    await put_on_record(
        ports,
        act,
        "staff_voided_invoice",
        account_id=balance.account_id,
        subject=invoice_id,
        facts={"service_account": str(balance.service_account_id), "cents": str(invoice["due"])},
        shown={"amount": format_money(invoice["due"], "en"), "number": invoice["number"]},
    )
    await after_void(ports, balance.service_account_id)
    voided = await fetch_one("select * from invoices where id = $1", invoice_id)
    assert voided is not None, "invoices are never deleted"
    return Voided(voided, False)


async def _refuse_unless_voidable(invoice: Row) -> None:
    """Raise Refused where nothing is due, or somebody is paying: either the payment counts or the voiding."""
    paying = await fetch_one(
        "select status from payments where invoice_id = $1 and status in ('PROCESSING', 'REQUIRES_ACTION') limit 1",
        read_uuid(invoice["id"]),
    )
    if paying is None and is_unpaid(invoice):
        return
    state, key = (paying["status"], "invoices.void_under_way") if paying else (invoice["status"], "invoices.void_over")
    facts = {"current_state": state, "allowed_actions": ()}
    raise Refused(Fault(ErrorCode.INVALID_STATE, key, _PATH, facts=facts))


async def _post(ports: Ports, invoice: Row, balance: Balance, *, is_closed: bool) -> None:
    """Post what is due of an invoice back, and save the balance."""
    now, key, source = ports.now(), str(balance.service_account_id), f"invoice:{invoice['id']}:void"
    billed = (LedgerKind.BILLED, key)
    if not is_closed:
        # The balance shows both together, so that nothing of it moves.
        await post(source, [Leg((LedgerKind.UNBILLED, key), billed, invoice["due"])], now=now, occurred_at=now)
        await save(replace(balance, unbilled=balance.unbilled + invoice["due"]), now, UpdateCause.SNAPSHOT)
        return
    cents = min(invoice["due"], max(0, balance.posted))
    if cents:
        leg = Leg((LedgerKind.BAD_DEBT_EXPENSE, OPERATOR), billed, cents)
        moved, entry = await post(
            source, [leg], now=now, occurred_at=now, balance=balance, own=billed, kind=TransactionKind.WRITE_OFF
        )
        assert moved is not None
        await save(moved, now, UpdateCause.ADJUSTMENT, entry)
