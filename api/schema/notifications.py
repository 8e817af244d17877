"""What a holder hears of, and how."""

from __future__ import annotations

import strawberry

from api.domain.notifications import NotificationChannel, NotificationTopic
from api.schema.enums import publish
from api.services import notifications

publish(
    NotificationTopic,
    "What a message is about.",
    LOW_BALANCE="A balance fell below the threshold of its alert.",
    PAYMENT="Receipts of payments, and charges of AutoPay that did not go through.",
    REFUND="Money that goes back; its mails cannot be turned off.",
    INVOICE="What is owed; its mails cannot be turned off.",
    RENEWAL="A monthly plan renews, or could not.",
    INACTIVITY="An account will be closed for lack of activity; its mails cannot be turned off.",
    SECURITY="What changed the protection of the account; its mails cannot be turned off.",
    TICKET="An answer to a question.",
    STATEMENT="A monthly statement is there.",
    VIDEO_SESSION="A video visit was scheduled or cancelled, or begins soon.",
    MARKETING="Offers.",
)
publish(
    NotificationChannel,
    "How a message goes out.",
    EMAIL="By mail to the account's address.",
    SMS="By text to the account's phone, unless that phone has answered STOP.",
)


@strawberry.type(description="By which channels the holder hears of a topic.")
class NotificationPreference:
    topic: NotificationTopic = strawberry.field(description="What it is about.")
    channels: list[NotificationChannel] = strawberry.field(description="How it goes out; empty when turned off.")
    mandatory: bool = strawberry.field(description="True where mails of this topic cannot be turned off.")

    @staticmethod
    def of(preference: notifications.Preference) -> NotificationPreference:
        return NotificationPreference(
            topic=preference.topic,
            channels=[channel for channel in NotificationChannel if channel in preference.channels],
            mandatory=bool(preference.mandatory),
        )
