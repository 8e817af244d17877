"""Receipts: a mail for each payment that succeeded, once, under a message id that comes from the payment."""

from __future__ import annotations

from api.adapters.database import Row, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.money import format_money
from api.domain.notifications import NotificationTopic
from api.domain.texts import render
from api.services.ledger import Balance
from api.services.mails import mailable_time
from api.services.notifications import notify


async def queue_receipt(ports: Ports, payment: Row, balance: Balance | None) -> None:
    """Mail the holder a receipt within the transaction under way; a repeat sends nothing.

    A payment by an invoice's link is of nobody's account; its receipt goes to whose service it was paid for.
    """
    account_id = read_uuid(payment["account_id"]) if payment["account_id"] else balance and balance.account_id
    account = await fetch_one("select * from accounts where id = $1 and status = 'ACTIVE'", account_id)
    if account is None:
        return
    locale = account["locale"]
    channel, purpose = (payment[name].lower() for name in ("channel", "purpose"))
    if payment["subscription_id"]:
        channel = "renewal"
    await notify(
        ports,
        account,
        NotificationTopic.PAYMENT,
        "receipts.payment",
        key=f"receipt-{read_uuid(payment['id'])}",
        params={
            "amount": format_money(payment["amount"], locale),
            "total": format_money(payment["total"], locale),
            "purpose": render(locale, f"receipts.purpose_{purpose}"),
            "channel": render(locale, f"receipts.channel_{channel}"),
            "at": mailable_time(ports.now()),
            "reference": payment["external_reference"] or str(read_uuid(payment["id"])),
        },
    )
