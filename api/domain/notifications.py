"""What a holder hears of, by which channels, and what stays on. Read once from `data/notifications.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class NotificationTopic(Enum):
    """What a message is about."""

    LOW_BALANCE = "LOW_BALANCE"
    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    INVOICE = "INVOICE"
    RENEWAL = "RENEWAL"
    INACTIVITY = "INACTIVITY"
    SECURITY = "SECURITY"
    TICKET = "TICKET"
    STATEMENT = "STATEMENT"
    VIDEO_SESSION = "VIDEO_SESSION"
    MARKETING = "MARKETING"


class NotificationChannel(Enum):
    """How a message goes out."""

    EMAIL = "EMAIL"
    SMS = "SMS"


Channels = frozenset[NotificationChannel]


class TopicRule(NamedTuple):
    """What holds of a topic until its holder says otherwise, and what always holds."""

    default: Channels
    mandatory: Channels


@cache
def _rules() -> Mapping[NotificationTopic, TopicRule]:
    tables = tomllib.loads((files("api") / "data" / "notifications.toml").read_text("utf-8"))
    return {topic: TopicRule(*(channels(tables[topic.value][name]) for name in TopicRule._fields)) for topic in
            NotificationTopic}  # fmt: skip


def topic_rule(topic: NotificationTopic) -> TopicRule:
    """Return what holds of a topic."""
    return _rules()[topic]


def channels(names: Iterable[str]) -> Channels:
    """Return channels by their names."""
    return frozenset(NotificationChannel(name) for name in names)


def chosen_channels(topic: NotificationTopic, kept: Iterable[str] | None) -> Channels:
    """Return by which channels a topic goes out: as the holder chose (`kept`), else by default; what is mandatory in
    any case, also where it became so after the choice."""
    rule = topic_rule(topic)
    return (rule.default if kept is None else channels(kept)) | rule.mandatory
