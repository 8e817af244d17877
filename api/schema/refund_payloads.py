"""What mutations of refunds take and answer with."""

from __future__ import annotations

import strawberry

from api.schema.errors import Payload
from api.schema.refunds import Refund
from api.schema.scalars import Money
from api.schema.sign_ups import AddressInput
from api.services.check_runs import CheckRun


@strawberry.type(description="A refund after a change.")
class RefundPayload(Payload):
    refund: Refund | None = strawberry.field(default=None, description="The refund; null when it was refused.")
    replayed: bool = strawberry.field(default=False, description="True when this was asked and done before.")


@strawberry.type(description="Checks that were numbered and handed on together.")
class CheckRunPayload(Payload):
    csv: str | None = strawberry.field(
        default=None,
        description="The run as a file for printing: number, amount, payee and address, a line a check. It names "
        "people and where they live, so it is for those who print checks alone.",
    )
    count: int = strawberry.field(default=0, description="How many checks there are; 500 at most, the rest next time.")
    total: Money | None = strawberry.field(default=None, description="Their sum.")
    replayed: bool = strawberry.field(default=False, description="True when the key stands for this run already.")

    @staticmethod
    def of(run: CheckRun) -> CheckRunPayload:
        total = sum(refund["amount"] for refund in run.refunds)
        return CheckRunPayload(csv=run.csv(), count=len(run.refunds), total=Money.of(total), replayed=run.replayed)


@strawberry.input(
    description="Held funds and where their check goes to. Signed in, they must be the account's; by a receipt, its "
    "closing's."
)
class ClaimHeldFundsInput:
    held_funds_id: strawberry.ID = strawberry.field(description="What is claimed.")
    receipt_token: str | None = strawberry.field(
        default=None, description="The receipt of the closing, where there is no login any more."
    )
    passcode: str | None = strawberry.field(
        default=None, description="Required with a receipt token; a wrong one counts as a guess."
    )
    address: AddressInput = strawberry.field(description="Where the check is mailed to.")
    idempotency_key: str = strawberry.field(description="Made by the client, once for this claim.")
