"""What setting AutoPay, TextPay and an alert have in common: reading amounts, the card, the consent."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.domain.agreements import AgreementKind, current_version, text_of
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.money import cents_of, format_money
from api.domain.payment_data import payment_limits
from api.domain.service_accounts import Product, ServiceStatus
from api.services.consents import record_consent
from api.services.ledger import Balance, lock_balance
from api.services.mails import mailable_time, queue_mail
from api.services.payment_methods import find_method, is_disputed, is_expired
from api.services.service_accounts import find_service


class Terms(NamedTuple):
    """What a holder set: cents, the card, and the version of the mandate that was accepted."""

    threshold: int
    amount: int
    method_id: UUID
    version: str


def read_cents(amount: Decimal, name: str, faults: list[Fault]) -> int:
    """Return an amount above zero in cents; 0 and a fault at the input's field otherwise."""
    path = ("input", name)
    try:
        cents = cents_of(amount)
    except ValueError:
        faults.append(Fault(ErrorCode.INVALID, "payments.amount_places", path))
        return 0
    if cents <= 0:
        faults.append(Fault(ErrorCode.INVALID, "payments.amount_not_positive", path))
        return 0
    return cents


def amount_faults(amount: int, *, at_least: int = 0) -> list[Fault]:
    """Return why a preset amount cannot be: outside of what one payment may be, or below AutoPay's threshold (rule 16).

    An amount that could not be read, 0, has its fault already.
    """
    if not amount:
        return []
    limits, path = payment_limits(), ("input", "amount")
    if not limits.payment_min <= amount <= limits.payment_max:
        is_small = amount < limits.payment_min
        bound = limits.payment_min if is_small else limits.payment_max
        key = "payments.amount_too_small" if is_small else "payments.amount_too_large"
        facts = {"limit": bound, "remaining": bound, "resets_at": None}
        return [Fault(ErrorCode.LIMIT_EXCEEDED, key, path, {"limit": format_money(bound, "en")}, facts)]
    if amount < at_least:
        return [Fault(ErrorCode.INVALID, "top_ups.amount_below_threshold", path)]
    return []


def threshold_faults(threshold: int, *path: str) -> list[Fault]:
    """Return why a threshold cannot be: it is more than any one payment may be."""
    bound = payment_limits().payment_max
    if threshold <= bound:
        return []
    facts = {"limit": bound, "remaining": bound, "resets_at": None}
    params = {"limit": format_money(bound, "en")}
    return [Fault(ErrorCode.LIMIT_EXCEEDED, "top_ups.threshold_too_large", path, params, facts)]


def consent_faults(kind: AgreementKind, version: str, **accepted: bool) -> list[Fault]:
    """Return what is not agreed to: a box that is not ticked, or a text that no longer holds."""
    faults = [
        Fault(ErrorCode.CONSENT_REQUIRED, "errors.consent_required", ("input", name))
        for name, is_ticked in accepted.items()
        if not is_ticked
    ]
    if version != current_version(kind):
        faults.append(Fault(ErrorCode.CONSENT_REQUIRED, "top_ups.agreement_changed", ("input", "agreementVersion")))
    return faults


async def lock_prepaid(account_id: UUID, service_account_id: UUID, *path: str) -> tuple[Row, Balance]:
    """Lock the balance of a holder's open AdvanceConnect service; Raises Refused with NOT_FOUND or ACCOUNT_CLOSED."""
    service = await find_service(account_id, service_account_id)
    if service is None or service["product"] != Product.ADVANCE_CONNECT.value:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
    balance = await lock_balance(service_account_id)
    service = await find_service(account_id, service_account_id)
    assert balance is not None, "an AdvanceConnect service has a balance"
    assert service is not None, "services are never deleted"
    if service["status"] != ServiceStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", path))
    return service, balance


async def own_method(
    ports: Ports, account_id: UUID, method_id: UUID, path: tuple[str, ...] = ("input", "paymentMethodId")
) -> Row:
    """Return a holder's card that may be charged while nobody is there, locked so that it stays: neither removed, nor
    expired, nor one whose bank took a payment back. Raises Refused."""
    await fetch_one("select id from accounts where id = $1 for update", account_id)
    await fetch_one("select id from payment_methods where id = $1 for update", method_id)
    method = await find_method(account_id, method_id)
    if method is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
    if is_expired(method["expiry_month"], method["expiry_year"], ports.now()):
        raise Refused(Fault(ErrorCode.PAYMENT_METHOD_EXPIRED, "payments.card_expired", path))
    if await is_disputed(method_id):
        raise Refused(Fault(ErrorCode.INVALID, "top_ups.card_disputed", path))
    return method


async def keep_consent(
    ports: Ports, account: Row, kind: AgreementKind, terms: Terms, method: Row, channel: Channel
) -> UUID:
    """Keep the holder's consent within the transaction under way, and mail a copy of the mandate; return its id."""
    locale = account["locale"]
    consent_id = await record_consent(
        read_uuid(account["id"]), kind, terms.version, locale=locale, channel=channel, agreed_at=ports.now()
    )
    name = kind.value.lower()
    await queue_mail(
        ports, f"top_ups.{name}_mandate", to=account["email"], locale=locale, key=f"{name}-mandate-{consent_id}",
        params={
            "at": mailable_time(ports.now()), "threshold": format_money(terms.threshold, locale),
            "amount": format_money(terms.amount, locale), "last4": method["last4"], "version": terms.version,
            "agreement": text_of(kind, terms.version, locale).strip(),
        },
    )  # fmt: skip
    return consent_id


async def account_row(account_id: UUID) -> Row:
    """Return an account that there is."""
    row = await fetch_one("select * from accounts where id = $1", account_id)
    assert row is not None, "accounts are never deleted"
    return row
