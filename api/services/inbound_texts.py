"""Texts that come in: STOP, START and HELP before all else, then Yes to an offer (rule 17)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, limit_fault
from api.auth.phones import phone_to_e164
from api.domain.accounts import Channel
from api.domain.contact import contact_lines
from api.domain.replies import Read, Reply, read_reply
from api.services.activity import note
from api.services.ledger import Balance, lock_balance
from api.services.mails import mailable_time, queue_mail
from api.services.sms import is_stopped, queue_text, reopen_phone, stop_phone
from api.services.text_pay_ends import end_text_pay
from api.services.text_pays import accept_offer
from api.services.thresholds import refresh_low_below
from api.services.top_up_settings import account_row

MESSAGE_ID_LENGTH_MAX = 120
TEXT_LENGTH_MAX = 2_000
KEPT = timedelta(days=30)
"""Longer than any provider repeats a text."""


class _Sender(NamedTuple):
    """Who wrote: the TextPay that lives on the phone and its locked balance, None for a stranger's."""

    phone: str
    text_pay: Row | None
    balance: Balance | None
    locale: str


async def take_text(ports: Ports, message_id: str, sender: str, text: str) -> None:
    """Do what a text says, once per `message_id`; a charge that a Yes begins is sent by due work, and so are answers.

    Raises ValueError for what is no text: an id that cannot be one, or a sender that is no phone.
    """
    phone = phone_to_e164(sender)
    if phone is None or not 1 <= len(message_id) <= MESSAGE_ID_LENGTH_MAX or not message_id.isprintable():
        raise ValueError("a text has an id of 1 to 120 printable characters, and comes from a phone")
    await _take(ports, message_id, phone, read_reply(text[:TEXT_LENGTH_MAX]))


@transactional
async def _take(ports: Ports, message_id: str, phone: str, read: Read) -> None:
    sender = await _sender(phone, read)
    text_id = uuid7()
    is_new = await execute(
        "insert into inbound_texts (id, message_id, received_at) values ($1, $2, $3)"
        " on conflict (message_id) do nothing",
        text_id, message_id, ports.now(),
    )  # fmt: skip
    if not is_new:
        return
    if read.reply is Reply.STOP:
        await _stop(ports, sender)
        return
    if read.reply is Reply.START:
        await reopen_phone(ports, phone)
    elif await is_stopped(ports, phone):
        return
    answer = await _answer(ports, sender, read)
    if answer is not None and await limit_fault(ports, _limit(sender), phone) is None:
        params = {"help_phone": contact_lines()["phone_mobile"]} if answer == "help" else {}
        await queue_text(
            ports, f"top_ups.{answer}", to=phone, locale=sender.locale, key=f"text-answer-{text_id}", params=params
        )


async def _sender(phone: str, read: Read) -> _Sender:
    found = await fetch_one("select service_account_id from text_pays where live_phone = $1", phone)
    balance = await lock_balance(read_uuid(found["service_account_id"])) if found else None
    # It may have ended, or have moved to another service, before the lock was there.
    row = await fetch_one("select * from text_pays where live_phone = $1", phone) if balance else None
    if row is None or balance is None or read_uuid(row["service_account_id"]) != balance.service_account_id:
        return _Sender(phone, None, None, read.locale)
    return _Sender(phone, row, balance, (await account_row(balance.account_id))["locale"])


async def _answer(ports: Ports, sender: _Sender, read: Read) -> str | None:
    """Do what a text says; return the name of the text that answers it, None for no answer."""
    match read.reply:
        case Reply.START:
            return "started"
        case Reply.HELP:
            return "help"
        case Reply.YES:
            return await accept_offer(ports, sender.balance, sender.phone) if sender.balance else "no_offer"
    return "not_understood" if sender.text_pay else None


def _limit(sender: _Sender) -> Limit:
    return Limit.TEXT_ANSWERS_PER_PHONE if sender.text_pay else Limit.TEXT_ANSWERS_PER_STRANGER


async def _stop(ports: Ports, sender: _Sender) -> None:
    """End texting: nothing is texted any more, not even that; the holder hears by mail what became of TextPay."""
    await stop_phone(ports, sender.phone)
    if sender.balance is None or not await end_text_pay(ports, sender.balance.service_account_id):
        return
    await refresh_low_below(sender.balance, ports.now())
    event_id: UUID = await note(ports, sender.balance.account_id, "text_pay_stopped", channel=Channel.SMS)
    account = await account_row(sender.balance.account_id)
    await queue_mail(
        ports, "top_ups.stopped", to=account["email"], locale=account["locale"], key=f"text-pay-stopped-{event_id}",
        params={"at": mailable_time(ports.now()), "last4": sender.phone[-4:]},
    )  # fmt: skip


async def prune(now: datetime) -> int:
    """Forget which texts came in long ago; return how many."""
    return await execute("delete from inbound_texts where received_at < $1", now - KEPT)
