"""Which card a subscription's renewals charge: its holder may choose another one (rule 28)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.adapters.database import Row, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.sign_ins import Viewer
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.plans import LASTING, SubscriptionStatus
from api.services.activity import note
from api.services.plans import subscription_row
from api.services.subscription_states import change, lock_subscription
from api.services.top_up_settings import own_method

_PATH = ("subscriptionId",)


@transactional
async def set_card(ports: Ports, viewer: Viewer, subscription_id: UUID, method_id: UUID) -> Row:
    """Have a subscription's renewals charge a card; return it with plan, facility and card.

    While it is PAST_DUE the card is tried soon, also the same one again; such a try is not one of those that the plan
    has. A charge under way stays with the card that it began with. Raises Refused: NOT_FOUND; INVALID_STATE for a
    subscription that has ended; and why the card cannot be charged while nobody is there.
    """
    assert viewer.account_id is not None
    row = await lock_subscription(subscription_id)
    if row is None or read_uuid(row["account_id"]) != viewer.account_id:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", _PATH))
    status = SubscriptionStatus(row["status"])
    if status not in LASTING:
        facts = {"current_state": status.value, "allowed_actions": ("subscribe",)}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "errors.invalid_state", _PATH, facts=facts))
    method = await own_method(ports, viewer.account_id, method_id, ("paymentMethodId",))
    is_new = row["payment_method_id"] is None or read_uuid(row["payment_method_id"]) != method_id
    columns: dict[str, Any] = {"payment_method_id": method_id} if is_new else {}
    now = ports.now()
    if status is SubscriptionStatus.PAST_DUE and row["renewal_id"] is None and now < read_time(row["renews_at"]):
        # The try that was to come stays where it is.
        columns |= {"renews_at": now, "kept_try_at": read_time(row["kept_try_at"] or row["renews_at"])}
    await change(ports, row, **columns)
    if is_new:
        params = {"last4": method["last4"]}
        await note(ports, viewer.account_id, "plan_card_changed", channel=viewer.channel, params=params)
    found = await subscription_row(viewer.account_id, subscription_id)
    assert found is not None
    return found
