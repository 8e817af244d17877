"""What a holder hears of, and how."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain.notifications import NotificationChannel, NotificationTopic
from api.resolvers.fields import HOLDER, mutation
from api.schema.account_payloads import AccountPayload
from api.schema.scalars import Info
from api.services.notifications import set_preference


@strawberry.type
class NotificationsMutations:
    """Mutations of notification preferences."""

    @mutation(
        "Chooses by which channels the holder hears of a topic; an empty list turns it off. INVALID where a mandatory "
        "channel would go.",
        payload=AccountPayload,
        roles=HOLDER,
    )
    async def set_notification_preference(
        self,
        info: Info,
        topic: Annotated[NotificationTopic, strawberry.argument(description="What it is about.")],
        channels: Annotated[
            list[NotificationChannel], strawberry.argument(description="All channels that are wanted.")
        ],
    ) -> AccountPayload:
        viewer = info.context.admit(HOLDER)
        await set_preference(info.context.ports, info.context.holder(), topic, channels)
        return AccountPayload.of(viewer.account)
