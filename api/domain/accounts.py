"""The online account: its states, the roles, and the channels that acts come through."""

from enum import Enum


class AccountStatus(Enum):
    """Where an online account stands."""

    PENDING_VERIFICATION = "PENDING_VERIFICATION"
    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    CLOSING = "CLOSING"
    DELETED = "DELETED"


class Role(Enum):
    """Who somebody is to the service. A customer is whoever holds an online account; the others are given."""

    CUSTOMER = "CUSTOMER"
    SUPPORT_AGENT = "SUPPORT_AGENT"
    BILLING_AGENT = "BILLING_AGENT"
    MARKETING = "MARKETING"
    COMPLIANCE = "COMPLIANCE"
    ADMIN = "ADMIN"
    PHONE_SWITCH = "PHONE_SWITCH"
    PAYMENT_PARTNER = "PAYMENT_PARTNER"


class Channel(Enum):
    """The way by which somebody acts."""

    WEB = "WEB"
    IOS = "IOS"
    ANDROID = "ANDROID"
    PHONE_AGENT = "PHONE_AGENT"
    SMS = "SMS"
    CHAT = "CHAT"
    SYSTEM = "SYSTEM"


HOLDERS_CHANNELS = frozenset({Channel.WEB, Channel.IOS, Channel.ANDROID})
"""What a customer's own sign-in may name as its channel."""

KEY_ROLES = frozenset({Role.PHONE_SWITCH, Role.PAYMENT_PARTNER})
"""Roles that a key may have; each opens just its own mutations."""

STAFF_ROLES = frozenset({Role.SUPPORT_AGENT, Role.BILLING_AGENT, Role.MARKETING, Role.COMPLIANCE, Role.ADMIN})
"""Roles that members of staff may have, one or several."""
