"""Refunds as holders and staff read them: pages and timelines."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_uuid
from api.domain.refunds import RefundStatus
from api.services.pages import Page, PageRequest, newest_first
from api.services.refund_states import WITH_CARD


async def refunds_page(account_id: UUID, request: PageRequest) -> Page:
    """Return an account's refunds, newest first."""
    return await newest_first(f"{WITH_CARD} where t.account_id = $1", [account_id], [("t.id", UUID)], request)


async def refund_queue(statuses: Sequence[RefundStatus] | None, request: PageRequest) -> Page:
    """Return everybody's refunds in these states, or in all of them, newest first."""
    values = [status.value for status in dict.fromkeys(statuses or RefundStatus)]
    places = ", ".join(f"${n + 1}" for n in range(len(values)))
    return await newest_first(f"{WITH_CARD} where t.status in ({places})", values, [("t.id", UUID)], request)


async def timelines_of(refund_ids: list[UUID]) -> list[list[Row]]:
    """Return the lines of refunds' timelines, in their order, oldest line first; one statement."""
    places = ", ".join(f"${n + 1}" for n in range(len(refund_ids)))
    rows = await fetch(
        f"select * from refund_events where refund_id in ({places}) order by refund_id, sequence", *refund_ids
    )
    found: dict[UUID, list[Row]] = {key: [] for key in refund_ids}
    for row in rows:
        found[read_uuid(row["refund_id"])].append(row)
    return [found[key] for key in refund_ids]


async def find_refund(account_id: UUID, closure_id: UUID | None, refund_id: UUID) -> Row | None:
    """Return a refund of an account, and of its closing where one is named; None for anybody else's."""
    row = await fetch_one(f"{WITH_CARD} where t.id = $1 and t.account_id = $2", refund_id, account_id)
    if row is None or (closure_id and (row["closure_id"] is None or read_uuid(row["closure_id"]) != closure_id)):
        return None
    return row
