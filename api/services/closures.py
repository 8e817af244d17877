"""Closing: deleting an account, or closing one service of it, in one transaction under all its balances' locks.

Holder and staff, web, app and telephone take this one way (rule 20). What was shown in the preview is what happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Raced, Row, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.emails import email_faults, normalise_email
from api.auth.proofs import require_fresh
from api.auth.sign_ins import EndedSignIn, Viewer, has_ended
from api.domain.accounts import AccountStatus, Channel
from api.domain.closing_data import closing_data
from api.domain.closures import ClosureKind, Consequence
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.services.closure_begins import Begun, begin_closing, closure_row
from api.services.closure_facts import Facts, balances_of, open_services, read_facts
from api.services.closure_previews import closed_or_nobodys
from api.services.closure_tokens import Seen, read_token
from api.services.idempotency import claim_key, find_result
from api.services.receipts import receipt_token
from api.services.top_up_charges import withdraw

DELETE_ACCOUNT = "deleteAccount"
CLOSE_SERVICE = "closeServiceAccount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for. `service_account_id` is None for a deletion of the account."""

    service_account_id: UUID | None
    preview_token: str
    acknowledge: tuple[Consequence, ...]
    address_revision: int
    contact_email: str | None
    idempotency_key: str

    def facts(self) -> dict[str, Any]:
        """Return what must be the same upon a replay."""
        return {
            "service": self.service_account_id,
            "preview": self.preview_token,
            "acknowledge": sorted({consequence.value for consequence in self.acknowledge}),
            "address_revision": self.address_revision,
            "contact_email": self.contact_email,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, in which mutation, by which way; `scope` is whose idempotency keys count.

    `person` is the holder's sign-in, or the member of staff, whose name and reason are then on record.
    """

    mutation: str
    scope: UUID
    channel: Channel
    person: UUID
    staff_name: str | None = None
    reason: str | None = None


class Closing(NamedTuple):
    """A closing as it stands, its receipt token, and whether the key was used before."""

    closure: Row
    receipt_token: str
    replayed: bool


async def delete_account(ports: Ports, viewer: Viewer, order: Order) -> Closing:
    """Delete the viewer's account; a repeat with the same key is the same deletion.

    Raises Refused: REAUTHENTICATION_REQUIRED unless the password was given a few minutes ago; and as `carry_out`.
    """
    return await _by_holder(ports, viewer, order, DELETE_ACCOUNT)


async def close_service(ports: Ports, viewer: Viewer, order: Order) -> Closing:
    """Close one service of the viewer's and refund what is left of it; the login stays. As above."""
    return await _by_holder(ports, viewer, order, CLOSE_SERVICE)


async def _by_holder(ports: Ports, viewer: Viewer, order: Order, mutation: str) -> Closing:
    assert viewer.account_id is not None
    # What a key has led to is told without a fresh proof: the first call had one.
    if await find_result(viewer.account_id, order.idempotency_key, mutation) is None:
        require_fresh(viewer, ports)
    asker = Asker(mutation=mutation, scope=viewer.account_id, channel=viewer.channel, person=viewer.sign_in_id)
    return await carry_out(ports, viewer.account_id, order, asker)


@transactional
async def replay_deletion(ports: Ports, ended: EndedSignIn, order: Order) -> Closing | None:
    """Return what a sign-in's own deletion led to, for a few minutes after it has ended that sign-in (rule 18).

    None where the key is not that deletion's. Raises Refused with IDEMPOTENCY_CONFLICT for other input.
    """
    closure_id = await find_result(ended.account_id, order.idempotency_key, DELETE_ACCOUNT)
    closure = await fetch_one(
        "select * from closures where id = $1 and requested_by = $2 and requested_at > $3",
        closure_id, ended.sign_in_id, ports.now() - closing_data().replay,
    )  # fmt: skip
    if closure_id is None or closure is None:
        return None
    await claim_key(ended.account_id, order.idempotency_key, DELETE_ACCOUNT, order.facts(), closure_id, ports.now())
    return Closing(closure, receipt_token(ports, closure_id), True)


async def carry_out(ports: Ports, account_id: UUID, order: Order, asker: Asker) -> Closing:
    """Close what the order names, at once and as a whole; a repeat with the same key is the same closing.

    A charge of AutoPay, TextPay or a plan that was begun and not sent is withdrawn before this returns.

    Raises Refused: TOKEN_INVALID or TOKEN_EXPIRED for the preview; STALE with the parts that changed since it;
    ACKNOWLEDGEMENT_MISSING; ACCOUNT_CLOSED; INVALID for the contact address; REAUTHENTICATION_REQUIRED where the
    holder's sign-in has ended meanwhile; and what `claim_key` raises.
    """
    closing, in_flight = await _carry_out(ports, account_id, order, asker)
    for payment_id in in_flight:
        await withdraw(ports, payment_id)
    return closing


@transactional
async def _carry_out(ports: Ports, account_id: UUID, order: Order, asker: Asker) -> tuple[Closing, list[UUID]]:
    now = ports.now()
    claimed = await claim_key(asker.scope, order.idempotency_key, asker.mutation, order.facts(), uuid7(), now)
    closure_id = claimed.result_id
    if not claimed.is_new:
        return Closing(await closure_row(closure_id), receipt_token(ports, closure_id), True), []
    seen = _read(ports, account_id, order, now)
    services = await open_services(account_id, order.service_account_id)
    balances = await balances_of(services, lock=True)
    account = await fetch_one("select * from accounts where id = $1 for update", account_id)
    if account is None or account["status"] != AccountStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed"))
    if asker.staff_name is None and await has_ended(asker.person):
        # Somebody ended it since it was looked up, e.g. by a reset against whoever closes here.
        raise Refused(Fault(ErrorCode.REAUTHENTICATION_REQUIRED, "errors.reauthentication_required"))
    as_locked = await open_services(account_id, order.service_account_id)
    if _keys(services) != _keys(as_locked):
        raise Raced  # One was opened or closed before the account was locked.
    if order.service_account_id is not None and not services:
        raise Refused(await closed_or_nobodys(account_id, order.service_account_id, ("input", "serviceAccountId")))
    facts = await read_facts(ports, account, order.service_account_id, services, balances, now)
    refuse_if(_faults(facts, seen, order))
    contact = normalise_email(order.contact_email, allow_test_domains=ports.sandbox) if order.contact_email else None
    kind = ClosureKind.CLOSE_SERVICE if order.service_account_id else ClosureKind.DELETE_ACCOUNT
    begun = Begun(
        kind, asker.channel, asker.person, asker.staff_name, asker.reason, contact.address if contact else None
    )
    row, in_flight = await begin_closing(ports, closure_id, facts, begun, now)
    return Closing(row, receipt_token(ports, closure_id), False), in_flight


def _read(ports: Ports, account_id: UUID, order: Order, now: datetime) -> Seen:
    """Return what the preview's token says; raises Refused with all that can be seen without reading anything."""
    faults: list[Fault] = []
    seen = read_token(ports, order.preview_token)
    path = ("input", "previewToken")
    if seen is None or (seen.account_id, seen.service_account_id) != (account_id, order.service_account_id):
        faults.append(Fault(ErrorCode.TOKEN_INVALID, "closures.preview_invalid", path))
    elif seen.expires_at <= now:
        faults.append(Fault(ErrorCode.TOKEN_EXPIRED, "closures.preview_expired", path))
    if order.contact_email is not None:
        found = email_faults(order.contact_email, "contactEmail", allow_test_domains=ports.sandbox)
        faults += [fault.under("input") for fault in found]
    refuse_if(faults)
    assert seen is not None
    return seen


def _faults(facts: Facts, seen: Seen, order: Order) -> list[Fault]:
    """Return why what was shown and agreed to is not what would happen."""
    faults = []
    changed = [name for name, digest in facts.digests().items() if seen.digests.get(name) != digest]
    if order.address_revision != facts.account["address_revision"] and "address" not in changed:
        changed.insert(0, "address")
    if changed:
        found = {"changed": tuple(changed)}
        faults.append(Fault(ErrorCode.STALE, "errors.stale", ("input", "previewToken"), facts=found))
    missing = tuple(consequence for consequence in facts.consequences if consequence not in order.acknowledge)
    if missing:
        found_missing: Mapping[str, Any] = {"missing": missing}
        faults.append(
            Fault(
                ErrorCode.ACKNOWLEDGEMENT_MISSING, "errors.acknowledgement_missing", ("input", "acknowledge"),
                facts=found_missing,
            )
        )  # fmt: skip
    return faults


def _keys(services: Sequence[Row]) -> list[UUID]:
    return [read_uuid(row["id"]) for row in services]
