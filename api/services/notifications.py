"""Notifications: what a holder wants to hear of, by which channels; and telling it by these."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_json, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, limit_fault
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.notifications import Channels, NotificationChannel, NotificationTopic, chosen_channels, topic_rule
from api.services.mails import Link, queue_mail
from api.services.sms import is_stopped, queue_text


class Preference(NamedTuple):
    """By which channels a holder hears of a topic; `mandatory` ones cannot be turned off."""

    topic: NotificationTopic
    channels: Channels
    mandatory: Channels


async def wanted(ports: Ports, account: Row, topic: NotificationTopic) -> Channels:
    """Return by which channels an account's holder is to be told of a topic now.

    SMS is only among them while the account's phone takes texts.
    """
    row = await fetch_one(
        "select channels from notification_preferences where account_id = $1 and topic = $2",
        read_uuid(account["id"]), topic.value,
    )  # fmt: skip
    chosen = chosen_channels(topic, read_json(row["channels"]) if row else None)
    if NotificationChannel.SMS in chosen and await is_stopped(ports, account["phone"]):
        chosen -= {NotificationChannel.SMS}
    return chosen


async def notify(
    ports: Ports,
    account: Row,
    topic: NotificationTopic,
    template: str,
    *,
    key: str,
    params: Mapping[str, str] | None = None,
    link: Link | None = None,
) -> None:
    """Tell an account's holder something once the transaction under way is committed, by the channels that are wanted.

    `template` names texts: `<template>_subject` and `<template>_text` for the mail, `<template>_sms` for the text,
    where the subject serves when there is none; write it with its file ("low_balances.alert"). `key` is one per event,
    of letters, digits and `._-`: a repeat tells nothing. A phone that had many texts within the hour is mailed instead.
    `params` fill the texts; nothing secret may be among them.
    """
    chosen = await wanted(ports, account, topic)
    if NotificationChannel.SMS in chosen and await limit_fault(ports, Limit.NOTICES_PER_PHONE, account["phone"]):
        # Whoever types a stranger's number as an account's phone must not have it texted without end.
        chosen = frozenset({NotificationChannel.EMAIL})
    if NotificationChannel.EMAIL in chosen:
        await queue_mail(
            ports, template, to=account["email"], locale=account["locale"], key=key, params=params or {}, link=link
        )
    if NotificationChannel.SMS in chosen:
        await queue_text(ports, template, to=account["phone"], locale=account["locale"], key=key, params=params)


async def preferences_of(account_id: UUID) -> Sequence[Preference]:
    """Return by which channels an account's holder hears of each topic, in the order of the topics; one statement."""
    rows = await fetch(
        "select topic, channels from notification_preferences where account_id = $1 limit 100", account_id
    )
    kept = {row["topic"]: read_json(row["channels"]) for row in rows}
    return [
        Preference(topic, chosen_channels(topic, kept.get(topic.value)), topic_rule(topic).mandatory)
        for topic in NotificationTopic
    ]


@transactional
async def set_preference(
    ports: Ports, account_id: UUID, topic: NotificationTopic, channels: Iterable[NotificationChannel]
) -> None:
    """Choose by which channels to hear of a topic; none turns it off. A repeat changes nothing.

    Raises Refused with INVALID where a channel that is mandatory for the topic would go.
    """
    chosen = frozenset(channels)
    if topic_rule(topic).mandatory - chosen:
        raise Refused(Fault(ErrorCode.INVALID, "notifications.mandatory", ("channels",)))
    await execute(
        "insert into notification_preferences (id, account_id, topic, channels, changed_at) values ($1, $2, $3, $4, $5)"
        " on conflict (account_id, topic) do update set channels = excluded.channels, changed_at = excluded.changed_at",
        uuid7(), account_id, topic.value, json.dumps(sorted(channel.value for channel in chosen)), ports.now(),
    )  # fmt: skip
