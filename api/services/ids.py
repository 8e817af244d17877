"""Finding things by their ids: the one place where it is decided whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from api.adapters.database import Row, fetch, read_uuid
from api.domain.ids import NodeKind
from api.services.cancellation_flows import FLOWS
from api.services.incarcerated_people import PEOPLE
from api.services.plans import PLANS, SUBSCRIPTIONS
from api.services.refund_states import WITH_CARD
from api.services.video_sessions import SESSIONS

_OWNED = {
    NodeKind.ACCOUNT: "select t.* from accounts t where t.id = $1",
    NodeKind.SIGN_IN: "select t.* from sign_ins t where t.account_id = $1 and t.ended_at is null",
    NodeKind.SERVICE_ACCOUNT: "select t.* from service_accounts t where t.account_id = $1",
    NodeKind.BALANCE: "select t.* from balances t where t.account_id = $1"
    " and t.product in ('ADVANCE_CONNECT', 'DIRECT_BILL')",
    NodeKind.PHONE: "select t.* from account_phones t join service_accounts s on s.id = t.service_account_id"
    " where s.account_id = $1 and t.live_phone is not null",
    NodeKind.TRANSACTION: "select t.* from journal_entries t join balances b on b.id = t.balance_id"
    " where b.account_id = $1 and b.product in ('ADVANCE_CONNECT', 'DIRECT_BILL')",
    NodeKind.CALL: "select t.* from calls t join service_accounts s on s.id = t.service_account_id"
    " where s.account_id = $1",
    NodeKind.PAYMENT_METHOD: "select t.* from payment_methods t where t.account_id = $1",
    NodeKind.QUOTE: "select t.* from quotes t where t.account_id = $1",
    NodeKind.PAYMENT: "select t.* from payments t where t.account_id = $1",
    NodeKind.INVOICE: "select t.* from invoices t where t.account_id = $1",
    NodeKind.STATEMENT: "select t.* from statements t where t.account_id = $1",
    NodeKind.ACTIVITY: "select t.* from activity t where t.account_id = $1",
    NodeKind.REFUND: f"{WITH_CARD} where t.account_id = $1",
    NodeKind.HELD_FUNDS: "select t.* from held_funds t where t.account_id = $1",
    NodeKind.SUBSCRIPTION: SUBSCRIPTIONS,
    NodeKind.VIDEO_SESSION: f"{SESSIONS} and t.account_id = $1",
    NodeKind.CANCELLATION: FLOWS,
    NodeKind.CLOSURE: "select t.* from closures t where t.account_id = $1",
    # Nobody is listed: a person is found by those who have a Debit account for them, or scheduled a visit.
    NodeKind.INCARCERATED_PERSON: f"{PEOPLE} join (select incarcerated_person_id as id from service_accounts"
    " where account_id = $1 union select person_id from video_sessions where account_id = $1) t on t.id = p.id"
    " where 1 = 1",
}
_PUBLIC = {
    NodeKind.FACILITY: "select t.* from facilities t where $1 = 'everybody'",
    NodeKind.PLAN: PLANS.format(key="p.id", more="") + " join plans t on t.id = p.id where $1 = 'everybody'",
}


async def find_all(account_id: UUID | None, kind: NodeKind, keys: Sequence[UUID]) -> list[Row | None]:
    """Return the rows of these keys, in their order; None for each that is nothing or not this account's.

    With no account only what everybody may see is found. One statement.
    """
    query = _PUBLIC.get(kind) or (_OWNED.get(kind) if account_id else None)
    if query is None or not keys:
        return [None] * len(keys)
    places = ", ".join(f"${n + 2}" for n in range(len(keys)))
    owner = account_id if kind in _OWNED else "everybody"
    rows = await fetch(f"{query} and t.id in ({places})", owner, *keys)
    found = {read_uuid(row["id"]): row for row in rows}
    return [found.get(key) for key in keys]


async def find(account_id: UUID | None, kind: NodeKind, key: UUID) -> Row | None:
    """Return one row, or None."""
    return (await find_all(account_id, kind, [key]))[0]
