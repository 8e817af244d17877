"""How a closing begins: its row, what it ends at once, and the work that follows; whoever asked for it.

A holder, staff and a state's rule on inactivity all end here.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_date, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.domain.closing_data import closing_data
from api.domain.closures import ClosureKind, ClosureStatus, Open, status_of
from api.domain.days import day_of, start_of
from api.domain.refunds import days_window
from api.domain.service_accounts import Product
from api.services import closure_cancels, closure_ends, closure_mails, closure_refunds, due_work
from api.services.closure_facts import Facts
from api.services.closure_holds import HOLD_WORK
from api.services.closure_states import look, tell_closure

CALLS_WORK = "closing-calls"


class Begun(NamedTuple):
    """A closing to be begun: why, by which way, and where its mails go if not to the account's address.

    `person` is None, and `rule_state` the state, where a state's rule closes a service.
    """

    kind: ClosureKind
    channel: Channel
    person: UUID | None = None
    staff_name: str | None = None
    reason: str | None = None
    contact_email: str | None = None
    rule_state: str | None = None


async def begin_closing(
    ports: Ports, closure_id: UUID, facts: Facts, begun: Begun, now: datetime
) -> tuple[Row, list[UUID]]:
    """Close what the facts name, within the transaction under way; return the closing's row, and the charges of
    AutoPay, TextPay and plans that are to be withdrawn after the commit.

    The facts were read under the locks of the balances, then of the account, which hold since.
    """
    closure = await _begin(closure_id, facts, begun, now)
    in_flight = await _end(ports, closure, facts, begun, now)
    return await closure_row(closure_id), in_flight


async def _begin(closure_id: UUID, facts: Facts, begun: Begun, now: datetime) -> Row:
    """Insert the closing and the services that it ends; return its row."""
    account = facts.account
    products = [Product(row["product"]) for row in facts.services]
    settles, holds = Product.ADVANCE_CONNECT in products, Product.DIRECT_BILL in products
    status = status_of(Open(settles_calls=settles, holds_direct_bill=holds, refunds=0, unpaid_invoices=0))
    if status is ClosureStatus.COMPLETED:
        # It is over at once, but is told from its beginning.
        status = ClosureStatus.REFUNDING
    data = closing_data()
    hold = days_window(day_of(now), data.hold_days_min, data.hold_days_max) if holds else None
    address = {name: account[name] or "" for name in ("line1", "line2", "city", "state", "zip", "country")}
    await execute(
        "insert into closures (id, account_id, kind, status, open_for, revision, requested_at, requested_via,"
        " requested_by, reason, locale, contact_email, address, calls_until, hold_earliest, hold_latest,"
        " final_invoice_id, completed_at, rule_state)"
        " values ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, null, null, $16)",
        closure_id, read_uuid(account["id"]), begun.kind.value, status.value,
        facts.service_account_id or read_uuid(account["id"]), now, begun.channel.value, begun.person, begun.reason,
        account["locale"], begun.contact_email or account["email"], json.dumps(address),
        now + data.calls_window if settles else None, hold.earliest if hold else None, hold.latest if hold else None,
        begun.rule_state,
    )  # fmt: skip
    for row in facts.services:
        settled_at = None if Product(row["product"]) in closure_ends.SETTLED_LATER else now
        await execute(
            "insert into closed_services (id, closure_id, service_account_id, product, settled_at)"
            " values ($1, $2, $3, $4, $5)",
            uuid7(), closure_id, read_uuid(row["id"]), row["product"], settled_at,
        )  # fmt: skip
    return await closure_row(closure_id)


async def _end(ports: Ports, closure: Row, facts: Facts, begun: Begun, now: datetime) -> list[UUID]:
    """End what the closing ends, begin what follows, and tell of it; the sign-ins end last, after a last update.

    Return the charges to be withdrawn after the commit.
    """
    closure_id, account_id = read_uuid(closure["id"]), read_uuid(facts.account["id"])
    in_flight = await closure_ends.end_services(ports, closure_id, facts, now)
    in_flight += await closure_ends.end_subscriptions(ports, facts.subscriptions, now)
    for row in facts.services:
        # Of Direct Bill the credit is known once its hold is over.
        if Product(row["product"]) is Product.ADVANCE_CONNECT:
            await closure_refunds.begin(ports, closure, facts.account, row)
    if closure["calls_until"] is not None:
        await due_work.enqueue(CALLS_WORK, str(closure_id), now + closing_data().calls_window)
    if closure["hold_earliest"] is not None:
        await due_work.enqueue(HOLD_WORK, str(closure_id), start_of(read_date(closure["hold_earliest"])))
    is_deletion = facts.service_account_id is None
    await closure_cancels.cancel_waiting(
        account_id, None if is_deletion else [read_uuid(row["id"]) for row in facts.services], now
    )
    await closure_mails.tell_request(ports, facts.account, closure, begun.channel, begun.staff_name)
    if is_deletion:
        await closure_ends.end_access(ports, facts.account, now)
    await tell_closure(closure)
    await look(ports, closure_id)
    if is_deletion:
        await closure_ends.end_sign_ins(ports, account_id)
    return in_flight


async def closure_row(closure_id: UUID) -> Row:
    """Return a closing that there is."""
    row = await fetch_one("select * from closures where id = $1", closure_id)
    assert row is not None, "closings are never deleted"
    return row
