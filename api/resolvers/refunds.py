"""Refunds, held funds and check runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

import strawberry

from api.adapters.database import read_uuid
from api.context import Context
from api.domain.accounts import Role
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.ids import NodeKind, key_of
from api.domain.refunds import RefundStatus
from api.resolvers.fields import BILLING, mutation, subscription
from api.resolvers.inputs import key_in
from api.schema.refund_payloads import CheckRunPayload, ClaimHeldFundsInput, RefundPayload
from api.schema.refunds import Refund, RefundUpdate
from api.schema.scalars import Info
from api.services import check_runs
from api.services.held_funds_claims import Claimant, claim_held_funds, claimant_of_receipt
from api.services.receipts import closure_of_receipt
from api.services.refund_reads import find_refund
from api.services.refund_watch import Watched, watch_refunds

HELD_FUNDS_STAFF = frozenset({Role.BILLING_AGENT, Role.COMPLIANCE, Role.ADMIN})


async def _claimant(context: Context, input: ClaimHeldFundsInput, held_id: UUID) -> Claimant:
    viewer = context.viewer
    if input.receipt_token is not None:
        return await claimant_of_receipt(
            context.ports, context.passwords, input.receipt_token, held_id, input.passcode,
            client_address=context.connection.client_address,
        )  # fmt: skip
    if viewer and viewer.account_id:
        return Claimant(scope=viewer.account_id, account_id=viewer.account_id, channel=viewer.channel)
    if viewer and viewer.staff and not viewer.roles.isdisjoint(HELD_FUNDS_STAFF):
        return Claimant(scope=viewer.staff.id, actor=viewer.staff.name, channel=viewer.channel)
    raise Refused(Fault(ErrorCode.REQUIRED, "refunds.sign_in_or_receipt", ("input", "receiptToken")))


async def _watched(context: Context, refund_id: str | None, receipt_token: str | None) -> Watched:
    key = key_of(refund_id, NodeKind.REFUND) if refund_id is not None else None
    if refund_id is not None and key is None:
        raise context.bad_request("errors.not_found")
    viewer = context.viewer
    if receipt_token is not None:
        closure = await closure_of_receipt(context.ports, receipt_token)
        if closure is None:
            raise context.bad_request("errors.not_found")
        owner = read_uuid(closure["account_id"])
        watched = Watched(owner, closure_id=read_uuid(closure["id"]), refund_id=key)
    elif viewer is not None and viewer.account_id is not None:
        watched = Watched(viewer.account_id, viewer.sign_in_id, refund_id=key)
    else:
        raise context.bad_request("refunds.sign_in_or_receipt")
    if key is not None and await find_refund(watched.account_id, watched.closure_id, key) is None:
        raise context.bad_request("errors.not_found")
    return watched


@strawberry.type
class RefundsMutations:
    """Mutations of refunds."""

    @mutation(
        "Pays held funds out by a check to an address, once: by sign-in, by a receipt with the passcode, or by staff "
        "(BILLING_AGENT, COMPLIANCE, ADMIN). A notice is mailed.",
        payload=RefundPayload,
    )
    async def claim_held_funds(
        self, info: Info, input: Annotated[ClaimHeldFundsInput, strawberry.argument(description="What, and where to.")]
    ) -> RefundPayload:
        context = info.context
        held_id = key_in(input.held_funds_id, NodeKind.HELD_FUNDS, "input", "heldFundsId")
        claimant = await _claimant(context, input, held_id)
        claimed = await claim_held_funds(context.ports, claimant, held_id, input.address.typed(), input.idempotency_key)
        return RefundPayload(refund=Refund.of(claimed.refund), replayed=claimed.replayed)

    @mutation(
        "Notes what became of a check: ISSUED when it was mailed, COMPLETED when cashed, HELD when it came back or "
        "could not be made out. INVALID_STATE for any other step, and for refunds to a card, which the processor "
        "decides.",
        payload=RefundPayload,
        roles=BILLING,
    )
    async def staff_update_refund(
        self,
        info: Info,
        refund_id: Annotated[strawberry.ID, strawberry.argument(description="The refund.")],
        status: Annotated[RefundStatus, strawberry.argument(description="Where it stands now.")],
        note: Annotated[
            str | None, strawberry.argument(description="Why, for the record; up to 300 characters.")
        ] = None,
    ) -> RefundPayload:
        context = info.context
        key = key_in(refund_id, NodeKind.REFUND, "refundId")
        row, replayed = await check_runs.update_refund(context.ports, context.admit(BILLING), key, status, note)
        return RefundPayload(refund=Refund.of(row), replayed=replayed)

    @mutation(
        "Numbers the checks that wait, marks them as SUBMITTED, and gives them as a file for printing. A repeat with "
        "the same key gives the same file.",
        payload=CheckRunPayload,
        roles=BILLING,
    )
    async def staff_export_check_run(
        self,
        info: Info,
        idempotency_key: Annotated[str, strawberry.argument(description="Made by the client, once for this run.")],
    ) -> CheckRunPayload:
        context = info.context
        run = await check_runs.export_check_run(context.ports, context.admit(BILLING), idempotency_key)
        return CheckRunPayload.of(run)


@strawberry.type
class RefundsSubscriptions:
    """Subscriptions to refunds."""

    @subscription(
        "One refund, or all of the signed-in account's, or a receipt's: first each as it is, then each status of each, "
        "in order, none left out. Ends when the sign-in is ended; by a receipt it goes on without one."
    )
    async def refund_status_changed(
        self,
        info: Info,
        refund_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="One refund; all of them when left out.")
        ] = None,
        receipt_token: Annotated[
            str | None, strawberry.argument(description="The receipt of a closing, when the login is gone.")
        ] = None,
    ) -> AsyncGenerator[RefundUpdate, None]:
        context = info.context
        changes = watch_refunds(context.ports, await _watched(context, refund_id, receipt_token))
        try:
            async for change in changes:
                yield RefundUpdate.of(change)
        finally:
            await changes.aclose()
