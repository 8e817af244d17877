"""Payments that nobody came back to from the bank's page: they give way to a new one of the same invoice or plan.

Else whoever closed that page, or wants to pay by another card, would have to wait until the check is given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_uuid
from api.adapters.payments import ProcessorUnavailable
from api.adapters.ports import Ports
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.payment_data import payment_limits
from api.services import charges
from api.services.idempotency import find_result

_WAITING_MAX = 10


async def make_way_for_quote(ports: Ports, account_id: UUID, quote_id: UUID, key: str) -> None:
    """End at the processor what waits of the quote's invoice, or of its plan's facility and product.

    To be called before the payment's own transaction, which finds out whether anything is still under way. Nothing is
    done for a replay, or for a quote that has expired. Raises Refused with UNAVAILABLE where the processor does not
    answer. A repeat is safe.
    """
    quote = await fetch_one(
        "select invoice_id, plan_id from quotes q where id = $1 and account_id = $2 and expires_at > $3"
        " and not exists (select id from payments p where p.quote_id = q.id)",
        quote_id, account_id, ports.now(),
    )  # fmt: skip
    if quote is None or await find_result(account_id, key, "pay", "subscribe") is not None:
        return
    if quote["invoice_id"]:
        await make_way_for_invoice(ports, read_uuid(quote["invoice_id"]))
    elif quote["plan_id"]:
        rows = await fetch(
            "select y.id from payments y join plans p on p.id = y.plan_id"
            " join plans w on w.facility_id = p.facility_id and w.product = p.product"
            " where w.id = $1 and y.account_id = $2 and y.status = 'REQUIRES_ACTION' and y.created_at <= $3"
            f" limit {_WAITING_MAX}",
            read_uuid(quote["plan_id"]), account_id, ports.now() - payment_limits().action_gives_way,
        )  # fmt: skip
        await _end(ports, rows)


async def make_way_for_invoice(ports: Ports, invoice_id: UUID) -> None:
    """End at the processor what waits of an invoice, whoever began it; as `make_way_for_quote`."""
    rows = await fetch(
        "select id from payments where invoice_id = $1 and status = 'REQUIRES_ACTION' and created_at <= $2"
        f" limit {_WAITING_MAX}",
        invoice_id, ports.now() - payment_limits().action_gives_way,
    )  # fmt: skip
    await _end(ports, rows)


async def _end(ports: Ports, rows: Sequence[Row]) -> None:
    for row in rows:
        try:
            await charges.cancel(ports, read_uuid(row["id"]))
        except (ProcessorUnavailable, TimeoutError) as error:
            raise Refused(Fault(ErrorCode.UNAVAILABLE, "payments.processor_unavailable")) from error
