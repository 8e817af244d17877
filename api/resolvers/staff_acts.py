"""What staff do with money and work, on record with who, when and why."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.context import Context
from api.resolvers.fields import BILLING
from api.services.staff_acts import Act

Reason = Annotated[str, strawberry.argument(description="Why; kept on record, 1 to 300 characters.")]


def act_of(context: Context, reason: str) -> Act:
    """Return the act of the member of staff who asks; raises RequestRefused for others than billing agents."""
    viewer = context.admit(BILLING)
    assert viewer.staff is not None
    return Act(viewer.staff.id, viewer.staff.name, viewer.channel, reason)
