"""What the flows of refunds begin with and ask: a service that is being closed, and its money on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, fetch_one, read_json, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.emails import Email
from api.auth.sign_ins import Bearer, begin_sign_in
from api.domain.accounts import Channel, Role
from api.domain.days import start_of
from api.domain.ids import NodeKind, global_id, key_of
from api.domain.ledger import LedgerKind, Leg, TransactionKind, UpdateCause
from api.domain.refunds import RefundStatus
from api.domain.service_accounts import Product
from api.services import sandbox
from api.services.audit import audit
from api.services.held_funds import hold
from api.services.ledger import OPERATOR, lock_balance, open_ledger_account, post, save
from api.services.receipts import receipt_token
from api.services.refund_amounts import fix
from api.services.refund_states import Step
from api.services.refunds import Asked, begin_refund, move
from api.services.staff import insert_staff
from tests.factories import Holder, Opened, begin_again
from tests.flows.conftest import Service
from tests.flows.money import pay

REFUND = """id revision status method product basedOnChannel destination amount { amount }
  window { earliest latest rule } timeline { sequence status note }"""
REFUNDS = f"{{ me {{ refunds {{ edges {{ node {{ {REFUND} }} }} }} }} }}"
HELD = "{ me { heldFunds { id amount { amount } cause claimable dispositionOn } } }"
ERRORS = "errors { code path ... on InvalidStateError { currentState allowedActions } }"
UPDATE = f"""mutation($id: ID!, $to: RefundStatus!, $note: String) {{
  staffUpdateRefund(refundId: $id, status: $to, note: $note) {{ replayed refund {{ {REFUND} }} {ERRORS} }} }}"""
EXPORT = f"""mutation($key: String!) {{ staffExportCheckRun(idempotencyKey: $key) {{
  csv count total {{ amount }} replayed {ERRORS} }} }}"""
CLAIM = f"""mutation($input: ClaimHeldFundsInput!) {{ claimHeldFunds(input: $input) {{
  replayed refund {{ {REFUND} }} {ERRORS} }} }}"""


async def paid(service: Service, holder: Holder, opened: Opened, amount: str, card: str) -> str:
    """Pay money in with a card; return the payment's id."""
    payload = await pay(service, holder, await holder.quote(opened, amount), card, f"{opened.key} {uuid7()}")
    assert payload["payment"]["status"] == "SUCCEEDED"
    return str(payload["payment"]["id"])


@transactional
async def begin(ports: Ports, holder: Holder, service_id: UUID) -> tuple[UUID, UUID]:
    """Close a service as far as its refund goes: a closing, and the refund that settles; return both ids."""
    balance = await lock_balance(service_id)
    account = await fetch_one("select * from accounts where id = $1", holder.account_id)
    assert balance is not None
    assert account is not None
    closure_id, now = uuid7(), ports.now()
    address = {name: account[name] for name in ("line1", "line2", "city", "state", "zip", "country")}
    await execute(
        "insert into closures (id, account_id, kind, status, revision, requested_at, requested_via, locale, address)"
        " values ($1, $2, 'CLOSE_SERVICE', 'SETTLING_CALLS', 1, $3, 'WEB', $4, $5)",
        closure_id, holder.account_id, now, account["locale"], json.dumps(address),
    )  # fmt: skip
    asked = Asked(
        account_id=holder.account_id, service_account_id=service_id, product=Product(balance.product),
        requested_at=now, payee="Ann Lee", address=address, closure_id=closure_id,
    )  # fmt: skip
    return read_uuid((await begin_refund(ports, asked))["id"]), closure_id


@transactional
async def fix_amount(ports: Ports, refund_id: UUID, service_id: UUID) -> None:
    """Fix a refund's amount, as the closing does once late calls can no longer come."""
    balance = await lock_balance(service_id)
    assert balance is not None
    await fix(ports, refund_id, balance)


@transactional
async def take_back(ports: Ports, service_id: UUID, cents: int) -> None:
    """Post a chargeback, which alone may take a balance below zero."""
    balance = await lock_balance(service_id)
    assert balance is not None
    own, now = (LedgerKind.PREPAID, str(service_id)), ports.now()
    leg = Leg(own, (LedgerKind.PROCESSOR_CLEARING, "tests"), cents)
    moved, entry = await post(
        f"dispute:{uuid7()}", [leg], now=now, occurred_at=now, balance=balance, own=own, kind=TransactionKind.CHARGEBACK
    )
    assert moved is not None
    await save(replace(moved, may_be_negative=True), now, UpdateCause.CHARGEBACK, entry)


async def direct_bill(holder: Holder, credit: int, card: str | None = None) -> UUID:
    """Insert a Direct Bill service with a credit in cents, below zero: a bill that is owed; return its id.

    With a card, the credit comes of an invoice that it paid.
    """
    service_id, balance_id, now = uuid7(), uuid7(), holder.ports.now()
    await execute(
        "insert into service_accounts (id, account_id, product, number, status, opened_at)"
        " values ($1, $2, 'DIRECT_BILL', $3, 'ACTIVE', $4)",
        service_id, holder.account_id, str(service_id)[-10:], now,
    )  # fmt: skip
    await execute(
        "insert into balances (id, service_account_id, account_id, product, unit, posted, unbilled, held, incoming,"
        " credit_limit, may_be_negative, revision, sequence, changed_at)"
        " values ($1, $2, $3, 'DIRECT_BILL', 'USD_CENT', 0, 0, 0, 0, 5000, $4, 0, 0, $5)",
        balance_id, service_id, holder.account_id, False, now,
    )  # fmt: skip
    for kind in (LedgerKind.BILLED, LedgerKind.UNBILLED):
        await open_ledger_account(kind, str(service_id), balance_id, "USD_CENT")
    paid_by = key_of(card, NodeKind.PAYMENT_METHOD) if card else None
    payment_id = await _invoice_paid(holder, service_id, credit, paid_by) if paid_by else None
    await _bill(holder.ports, service_id, credit, payment_id)
    return service_id


async def _invoice_paid(holder: Holder, service_id: UUID, cents: int, method_id: UUID) -> UUID:
    """Insert a payment of an invoice, with its charge at the processor."""
    payment_id, now, ports = uuid7(), holder.ports.now(), holder.ports
    row = await fetch_one("select card_token from payment_methods where id = $1", method_id)
    assert row is not None
    charge = await ports.processor.charge(
        key=str(payment_id), customer=str(holder.account_id), card=row["card_token"], amount_cents=cents,
        return_url=None, at=now,
    )  # fmt: skip
    await execute(
        "insert into payments (id, account_id, service_account_id, method_id, purpose, channel, status, amount, total,"
        " lines, processor, processor_reference, created_at, settled_at) values ($1, $2, $3, $4, 'PAY_INVOICE',"
        " 'CARD_ONLINE', 'SUCCEEDED', $5, $5, '[]', $6, $7, $8, $8)",
        payment_id, holder.account_id, service_id, method_id, cents, ports.processor.name, charge.id, now,
    )  # fmt: skip
    return payment_id


@transactional
async def _bill(ports: Ports, service_id: UUID, credit: int, payment_id: UUID | None) -> None:
    billed, now = (LedgerKind.BILLED, str(service_id)), ports.now()
    paid_in = Leg((LedgerKind.PROCESSOR_CLEARING, "tests"), billed, credit) if credit > 0 else None
    called = Leg((LedgerKind.UNBILLED, str(service_id)), (LedgerKind.CALL_REVENUE, OPERATOR), max(1, -credit))
    balance = await lock_balance(service_id)
    assert balance is not None
    moved, entry = await post(
        f"payment:{payment_id}" if payment_id else f"tests:{uuid7()}", [paid_in or called], now=now, occurred_at=now,
        balance=balance, payment_id=payment_id,
        own=billed if paid_in else called.debit,
        kind=TransactionKind.INVOICE_PAYMENT if paid_in else TransactionKind.CALL_CHARGE,
    )  # fmt: skip
    assert moved is not None
    await save(moved, now, UpdateCause.INVOICE_PAYMENT, entry)


async def refunded(service: Service, holder: Holder, opened: Opened) -> str:
    """Close a service and fix its refund; return the refund's id."""
    refund_id, _ = await begin(service.ports, holder, opened.key)
    await fix_amount(service.ports, refund_id, opened.key)
    return global_id(NodeKind.REFUND, refund_id)


async def end_service(opened: Opened) -> None:
    """Have a service closed, as it is once its refund is fixed, so that money which cannot be paid out is held."""
    await execute("update service_accounts set status = 'CLOSED', open_key = null where id = $1", opened.key)


async def held(service: Service, holder: Holder, opened: Opened | None = None) -> str:
    """Have the check that a service's balance goes out by come back; return the id of the held funds.

    Without a service, one is opened that no card ever funded.
    """
    opened = opened or await holder.advance_connect(1_000)
    refund_id = await refunded(service, holder, opened)
    await end_service(opened)
    key = key_of(refund_id, NodeKind.REFUND)
    assert key is not None
    await _come_back(service.ports, key)
    row = await fetch_one("select id from held_funds where refund_id = $1", key)
    assert row is not None
    return global_id(NodeKind.HELD_FUNDS, read_uuid(row["id"]))


@transactional
async def _come_back(ports: Ports, refund_id: UUID) -> None:
    await move(ports, refund_id, Step(RefundStatus.SUBMITTED, "submitted_check"))
    await hold(ports, refund_id, "unpayable")


def receipt(service: Service, closure_id: UUID) -> str:
    """Return a closing's receipt."""
    return receipt_token(service.ports, closure_id)


async def refunds(service: Service, holder: Holder) -> list[dict[str, Any]]:
    """Return the holder's refunds, oldest first, amounts as text; the sign-in may have run out meanwhile."""
    data = await service.ask(REFUNDS, token=(await begin_again(holder)).token)
    nodes = [edge["node"] for edge in data["me"]["refunds"]["edges"]]
    return [{**node, "amount": node["amount"]["amount"]} for node in reversed(nodes)]


def statuses(refund: dict[str, Any]) -> list[str]:
    """Return each status that a refund has had, in order, and check that its lines are numbered without gaps."""
    assert [line["sequence"] for line in refund["timeline"]] == list(range(1, refund["revision"] + 1))
    return [line["status"] for line in refund["timeline"]]


async def staff(service: Service, role: Role = Role.BILLING_AGENT) -> str:
    """Insert a member of staff who is signed in; return the token."""
    address = Email(f"{role.value}@example.org", f"{role.value.lower()}@example.org")
    await insert_staff(service.ports.now(), address, "Billie Agent", "none", [role])
    row = await fetch_one("select id from staff_members where email_key = $1", address.key)
    assert row is not None
    token, _ = await begin_sign_in(service.ports, Bearer(read_uuid(row["id"]), True, "", Channel.WEB, False))
    return token


async def go_to(service: Service, moment: datetime | date) -> None:
    """Move the clock to an instant, or to the start of a Central day, doing on the way what falls due, in order."""
    at = moment if isinstance(moment, datetime) else start_of(moment)
    by = at.astimezone(UTC) - service.ports.now()
    await sandbox.advance(service.ports, by, service.runner.run_due)


async def differences() -> tuple[str, ...]:
    """Return what the audit finds."""
    return (await audit()).differences


async def activity(holder: Holder) -> list[tuple[str, str, Any]]:
    """Return what is on record of an account: actions, actors, and what fills the texts."""
    rows = await fetch("select * from activity where account_id = $1 order by id", holder.account_id)
    return [(row["action"], row["actor"], read_json(row["params"])) for row in rows]
