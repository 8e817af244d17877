"""Monthly plans and subscriptions to them."""

from enum import Enum


class SubscriptionStatus(Enum):
    """Where a subscription to a plan stands."""

    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    CANCEL_SCHEDULED = "CANCEL_SCHEDULED"
    ENDED = "ENDED"
    CANCELLED_BY_CLOSURE = "CANCELLED_BY_CLOSURE"
