"""Closing an account or one service, and following it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from api.adapters.database import read_uuid
from api.auth.sign_ins import Viewer
from api.domain.ids import NodeKind, key_of
from api.resolvers.fields import HOLDER, mutation, query, subscription
from api.resolvers.inputs import key_in
from api.schema.closure_inputs import CloseServiceAccountInput, DeleteAccountInput, StaffDeleteAccountInput
from api.schema.closures import Closure, ClosurePayload, ClosureUpdate
from api.schema.errors import AcceptedPayload
from api.schema.scalars import Info
from api.services import closures, staff_closures
from api.services.closure_watch import watch
from api.services.closure_withdrawals import withdraw_closure
from api.services.receipts import closure_of_receipt
from api.services.staff_closures import MAY_DELETE, Proofs

ReceiptToken = Annotated[str, strawberry.argument(description="As the deletion gave and mailed it.")]


def _viewer(info: Info) -> Viewer:
    return info.context.admit(HOLDER)


@strawberry.type
class ClosuresQueries:
    """Queries about closings."""

    @query(
        "Follows a closing after the login is gone, by the token that closing gave; null for a token that is not ours."
    )
    async def closure_by_receipt(self, info: Info, receipt_token: ReceiptToken) -> Closure | None:
        row = await closure_of_receipt(info.context.ports, receipt_token)
        return Closure.of(row) if row else None


@strawberry.type
class ClosuresMutations:
    """Mutations that close."""

    @mutation(
        "Deletes the account, as `deletionPreview` showed it: services, AutoPay, TextPay and plans end at once, and so "
        "do all sign-ins and sockets after a last update; what is left is refunded. STALE says what has changed since "
        "the preview. Wants the password proven freshly, see `reauthenticate`. The same key gives the same deletion, "
        "for 15 minutes also by the ended sign-in that asked for it. The e-mail address can never be used again.",
        payload=ClosurePayload,
        roles=HOLDER,
        ended_too=True,
    )
    async def delete_account(
        self,
        info: Info,
        input: Annotated[DeleteAccountInput, strawberry.argument(description="What was shown and agreed to.")],
    ) -> ClosurePayload:
        context = info.context
        if context.ended is not None:
            replayed = await closures.replay_deletion(context.ports, context.ended, input.order())
            if replayed is not None:
                return ClosurePayload.of(replayed)
        # Of an ended sign-in, all but its own deletion is answered like a token that nobody has.
        return ClosurePayload.of(await closures.delete_account(context.ports, _viewer(info), input.order()))

    @mutation(
        "Closes one service, as its own `deletionPreview` showed it, and refunds what is left of it; the login stays. "
        "Wants the password proven freshly, see `reauthenticate`. Opening the product again makes a new service.",
        payload=ClosurePayload,
        roles=HOLDER,
    )
    async def close_service_account(
        self,
        info: Info,
        input: Annotated[CloseServiceAccountInput, strawberry.argument(description="What was shown and agreed to.")],
    ) -> ClosurePayload:
        key = key_in(input.service_account_id, NodeKind.SERVICE_ACCOUNT, "input", "serviceAccountId")
        closing = await closures.close_service(info.context.ports, _viewer(info), input.order(key))
        return ClosurePayload.of(closing)

    @mutation(
        "Takes the closing of the one Direct Bill service back while it is held, see `Closure.directBillHold`: it is "
        "open again, with those of its numbers that nobody else has taken meanwhile. Deleting the account cannot be "
        "taken back. A repeat changes nothing.",
        payload=ClosurePayload,
        roles=HOLDER,
    )
    async def withdraw_closure(
        self,
        info: Info,
        closure_id: Annotated[strawberry.ID, strawberry.argument(description="The closing.")],
    ) -> ClosurePayload:
        key = key_in(closure_id, NodeKind.CLOSURE, "closureId")
        return ClosurePayload.of(await withdraw_closure(info.context.ports, _viewer(info), key))

    @mutation(
        "Has a number mailed to a holder who wants the account deleted by telephone; an older number ends. Who and why "
        "is on record.",
        payload=AcceptedPayload,
        roles=MAY_DELETE,
    )
    async def staff_send_deletion_code(
        self,
        info: Info,
        account_id: Annotated[strawberry.ID, strawberry.argument(description="Whose account.")],
        reason: Annotated[str, strawberry.argument(description="Why, for the record; at most 300 characters.")],
    ) -> AcceptedPayload:
        context = info.context
        key = key_in(account_id, NodeKind.ACCOUNT, "accountId")
        await staff_closures.send_code(context.ports, context.admit(MAY_DELETE), key, reason)
        return AcceptedPayload(accepted=True)

    @mutation(
        "Deletes the account of a holder on the telephone, by passcode and mailed number, in the same way as "
        "`deleteAccount`. The receipt goes to the holder by mail.",
        payload=ClosurePayload,
        roles=MAY_DELETE,
    )
    async def staff_delete_account(
        self,
        info: Info,
        input: Annotated[StaffDeleteAccountInput, strawberry.argument(description="What the holder agreed to.")],
    ) -> ClosurePayload:
        context = info.context
        closing = await staff_closures.delete_for_holder(
            context.ports,
            context.passwords,
            context.admit(MAY_DELETE),
            key_in(input.account_id, NodeKind.ACCOUNT, "input", "accountId"),
            Proofs(input.passcode, input.code),
            input.reason,
            input.order(),
            client_address=context.connection.client_address,
        )
        return ClosurePayload.of(closing, for_staff=True)


@strawberry.type
class ClosuresSubscriptions:
    """Subscriptions to closings."""

    @subscription(
        "Each of the account's closings, or the receipt's: first where it stands, then each step in order. By sign-in "
        "it ends with that; by receipt it goes on when the login is gone, and `receiptToken` opens it to everybody "
        "who has one.",
        roles=HOLDER,
        or_by="receipt_token",
    )
    async def closure_changed(
        self,
        info: Info,
        closure_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="One closing; all when left out.")
        ] = None,
        receipt_token: Annotated[
            str | None, strawberry.argument(description="Of the closing; a sign-in serves as well.")
        ] = None,
    ) -> AsyncGenerator[ClosureUpdate, None]:
        context = info.context
        key = key_of(closure_id, NodeKind.CLOSURE) if closure_id is not None else None
        if receipt_token is not None:
            row = await closure_of_receipt(context.ports, receipt_token)
            if row is None or (closure_id is not None and key != read_uuid(row["id"])):
                raise context.bad_request("errors.not_found")
            account_id, sign_in_id, key = read_uuid(row["account_id"]), None, read_uuid(row["id"])
        else:
            account_id, sign_in_id = context.holder(), _viewer(info).sign_in_id
            if closure_id is not None and (key is None or await context.find(NodeKind.CLOSURE, key) is None):
                raise context.bad_request("errors.not_found")
        changes = watch(context.ports, account_id, sign_in_id, key)
        try:
            async for change in changes:
                yield ClosureUpdate.of(change)
        finally:
            await changes.aclose()
