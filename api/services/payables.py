"""What can be paid for: whether it may be, and what it comes to before fees and taxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_json, read_uuid
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.invoices import InvoiceStatus
from api.domain.money import cents_of, format_money
from api.domain.payment_data import payment_limits, stamps
from api.domain.payments import PaymentPurpose
from api.domain.service_accounts import Product, ServiceStatus
from api.domain.texts import LOCALES, render
from api.services.plans import find_plan, is_subscribed
from api.services.service_accounts import find_service


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the holder asked to have quoted; each purpose takes some of the inputs and no others."""

    purpose: PaymentPurpose
    service_account_id: UUID | None = None
    invoice_id: UUID | None = None
    plan_id: UUID | None = None
    stamps: int | None = None
    amount: Decimal | None = None


class Payable(NamedTuple):
    """What is paid for: the line's label, the amount in cents, and the service whose it is, where there is one."""

    label: str | Mapping[str, str]
    cents: int
    service: Row | None = None


_INPUTS = {
    "service_account_id": "serviceAccountId",
    "invoice_id": "invoiceId",
    "plan_id": "planId",
    "stamps": "stamps",
    "amount": "amount",
}
_TAKES = {
    PaymentPurpose.FUND_ADVANCE_CONNECT: ("service_account_id", "amount"),
    PaymentPurpose.FUND_DEBIT: ("service_account_id", "amount"),
    PaymentPurpose.BUY_STAMPS: ("service_account_id", "stamps"),
    PaymentPurpose.PAY_INVOICE: ("invoice_id",),
    PaymentPurpose.SUBSCRIPTION: ("plan_id",),
}
_PRODUCTS = {
    PaymentPurpose.FUND_ADVANCE_CONNECT: Product.ADVANCE_CONNECT,
    PaymentPurpose.FUND_DEBIT: Product.DEBIT,
    PaymentPurpose.BUY_STAMPS: Product.EMESSAGING,
}
_OPEN_INVOICE = (InvoiceStatus.OPEN.value, InvoiceStatus.PAST_DUE.value)


def path_of_choice(purpose: PaymentPurpose) -> tuple[str, str]:
    """Return the path of the input that decides how much it is."""
    return "input", _INPUTS[_TAKES[purpose][-1]]


async def payable(account_id: UUID, wanted: Wanted, now: datetime) -> Payable:
    """Return what an account wants to pay for at product time `now`; raises Refused with every reason at once."""
    if wanted.purpose not in _TAKES:
        raise Refused(Fault(ErrorCode.UNAVAILABLE, "payments.purpose_unavailable", ("input", "purpose")))
    faults = _input_faults(wanted)
    match wanted.purpose:
        case PaymentPurpose.PAY_INVOICE:
            found, more = await _invoice(account_id, wanted.invoice_id)
        case PaymentPurpose.SUBSCRIPTION:
            found, more = await _plan(account_id, wanted.plan_id, now)
        case _:
            found, more = await _of_service(account_id, wanted)
    refuse_if([*faults, *more])
    assert found is not None, "what cannot be paid for has a fault"
    return found


def _input_faults(wanted: Wanted) -> list[Fault]:
    faults = []
    for name, field in _INPUTS.items():
        is_given, is_taken = getattr(wanted, name) is not None, name in _TAKES[wanted.purpose]
        if is_taken and not is_given:
            faults.append(Fault(ErrorCode.REQUIRED, "errors.required", ("input", field)))
        elif is_given and not is_taken:
            faults.append(Fault(ErrorCode.INVALID, "payments.not_for_purpose", ("input", field)))
    return faults


async def _of_service(account_id: UUID, wanted: Wanted) -> tuple[Payable | None, list[Fault]]:
    """Look at a deposit or at stamps."""
    faults: list[Fault] = []
    service: Row | None = None
    label: str | Mapping[str, str] = "payments.line_deposit"
    if wanted.service_account_id is not None:
        service = await find_service(account_id, wanted.service_account_id)
        path = ("input", "serviceAccountId")
        if service is None or service["product"] != _PRODUCTS[wanted.purpose].value:
            faults.append(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
        elif service["status"] != ServiceStatus.ACTIVE.value:
            faults.append(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", path))
    if wanted.purpose is PaymentPurpose.BUY_STAMPS:
        cents, more = _pack(wanted.stamps)
        label = {locale: render(locale, "payments.line_stamps", {"count": wanted.stamps}) for locale in LOCALES}
    else:
        cents, more = _deposit(wanted.amount)
    if cents:
        more += _bound_faults(wanted.purpose, cents)
    return Payable(label, cents, service), [*faults, *more]


def _deposit(amount: Decimal | None) -> tuple[int, list[Fault]]:
    path = ("input", "amount")
    if amount is None:
        return 0, []
    try:
        cents = cents_of(amount)
    except ValueError:
        return 0, [Fault(ErrorCode.INVALID, "payments.amount_places", path)]
    if cents <= 0:
        return 0, [Fault(ErrorCode.INVALID, "payments.amount_not_positive", path)]
    return cents, []


def _pack(number: int | None) -> tuple[int, list[Fault]]:
    if number is None:
        return 0, []
    if number not in stamps().packs:
        params = {"packs": ", ".join(str(pack) for pack in stamps().packs)}
        return 0, [Fault(ErrorCode.INVALID, "payments.no_such_pack", ("input", "stamps"), params)]
    return number * stamps().price, []


async def _invoice(account_id: UUID, invoice_id: UUID | None) -> tuple[Payable | None, list[Fault]]:
    path = ("input", "invoiceId")
    if invoice_id is None:
        return None, []
    row = await fetch_one("select * from invoices where id = $1 and account_id = $2", invoice_id, account_id)
    if row is None:
        return None, [Fault(ErrorCode.NOT_FOUND, "errors.not_found", path)]
    if row["status"] not in _OPEN_INVOICE:
        facts = {"current_state": row["status"], "allowed_actions": ()}
        return None, [Fault(ErrorCode.INVALID_STATE, "payments.invoice_not_open", path, facts=facts)]
    service = await find_service(account_id, read_uuid(row["service_account_id"]))
    found = Payable("payments.line_invoice", row["due"], service)
    return found, _bound_faults(PaymentPurpose.PAY_INVOICE, row["due"])


async def _plan(account_id: UUID, plan_id: UUID | None, now: datetime) -> tuple[Payable | None, list[Fault]]:
    path = ("input", "planId")
    if plan_id is None:
        return None, []
    plan = await find_plan(plan_id)
    if plan is None:
        return None, [Fault(ErrorCode.NOT_FOUND, "errors.not_found", path)]
    if plan["p_product"] not in read_json(plan["f_products"]):
        return None, [Fault(ErrorCode.UNAVAILABLE, "payments.plan_unavailable", path)]
    found = Payable({"en": plan["p_name_en"], "es": plan["p_name_es"]}, plan["p_price"])
    if await is_subscribed(account_id, plan, now - payment_limits().action_gives_way):
        return None, [already_subscribed(*path)]
    return found, _bound_faults(PaymentPurpose.SUBSCRIPTION, plan["p_price"])


def _bound_faults(purpose: PaymentPurpose, cents: int) -> list[Fault]:
    smallest, largest = payment_limits().bounds_of(purpose)
    if smallest <= cents <= largest:
        return []
    bound, key = (smallest, "payments.amount_too_small") if cents < smallest else (largest, "payments.amount_too_large")
    facts = {"limit": bound, "remaining": bound, "resets_at": None}
    return [Fault(ErrorCode.LIMIT_EXCEEDED, key, path_of_choice(purpose), {"limit": format_money(bound, "en")}, facts)]


def already_subscribed(*path: str) -> Fault:
    """Return why a second subscription to a facility's product is refused."""
    facts: dict[str, Any] = {"current_state": "SUBSCRIBED", "allowed_actions": ()}
    return Fault(ErrorCode.INVALID_STATE, "payments.already_subscribed", path, facts=facts)


async def no_longer_payable(account_id: UUID, quote: Row) -> list[Fault]:
    """Return why what was quoted cannot be paid any more; ask once the service's balance, or the account, is locked."""
    path = ("input", "quoteId")
    if quote["invoice_id"]:
        row = await fetch_one(
            "select i.status, i.due - coalesce((select sum(p.amount) from payments p where p.invoice_id = i.id"
            " and p.status in ('PROCESSING', 'REQUIRES_ACTION')), 0) as due from invoices i where i.id = $1",
            quote["invoice_id"],
        )
        if row is None or row["status"] not in _OPEN_INVOICE or row["due"] != quote["amount"]:
            return [Fault(ErrorCode.STALE, "payments.invoice_changed", path, facts={"changed": ("invoice",)})]
    elif quote["plan_id"]:
        plan = await find_plan(read_uuid(quote["plan_id"]))
        if plan is None or await is_subscribed(account_id, plan):
            return [already_subscribed(*path)]
    else:
        service = await find_service(account_id, read_uuid(quote["service_account_id"]))
        if service is None or service["status"] != ServiceStatus.ACTIVE.value:
            return [Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", path)]
    return []
