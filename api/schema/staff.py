"""Everything that is behind the staff's door."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import strawberry

from api.auth.sign_ins import Viewer
from api.domain.accounts import Role
from api.schema.enums import publish
from api.schema.reconciliation import Reconciliation
from api.schema.scalars import Info
from api.services.reconciliation import reconcile

RECONCILERS = (Role.BILLING_AGENT, Role.COMPLIANCE, Role.ADMIN)

publish(
    Role,
    "Who somebody is to the service, and so what is open to them.",
    CUSTOMER="A customer, with an online account.",
    SUPPORT_AGENT="Staff who help customers.",
    BILLING_AGENT="Staff who look after payments and refunds.",
    MARKETING="Staff who read reports.",
    COMPLIANCE="Staff who look after held funds and what the law asks for.",
    ADMIN="Staff who run the service.",
    PHONE_SWITCH="The switch that connects calls; a key.",
    PAYMENT_PARTNER="A partner that takes payments; a key.",
)


@strawberry.type(description="The member of staff who is signed in, and what their roles open.")
class Staff:
    name: str = strawberry.field(description="As it stands on record beside what they do.")
    roles: list[Role] = strawberry.field(description="What they may do.")

    @strawberry.field(
        description="Whether all ledger accounts sum to zero, each balance equals its postings, and the processor's "
        "books of a day agree with the ledger. For: BILLING_AGENT, COMPLIANCE, ADMIN."
    )
    async def reconciliation(
        self, info: Info, on: Annotated[date, strawberry.argument(description="A day of US Central time.")]
    ) -> Reconciliation:
        info.context.admit(RECONCILERS)
        return Reconciliation.of(await reconcile(info.context.ports, on), info.context.locale)

    @staticmethod
    def of(viewer: Viewer) -> Staff | None:
        if viewer.staff is None:
            return None
        return Staff(name=viewer.staff.name, roles=sorted(viewer.roles, key=list(Role).index))
