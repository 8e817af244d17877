"""Payment methods: cards as tokens of the processor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_uuid, transactional
from api.adapters.payments import Card, CardRefused, CardSetup, ProcessorUnavailable
from api.adapters.ports import Ports
from api.auth.limits import Limit, count_try, take_back
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.payment_data import payment_limits
from api.services.card_expiry import drop_notices, enqueue_notices
from api.services.card_tries import card_tries, count_declines, refuse_card_tries

TOKEN_LENGTH_MAX = 200
_NOT_FOUND = Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("id",))


async def set_up(ports: Ports, account_id: UUID) -> CardSetup:
    """Open the processor's own form for an account; a repeat opens another one, which harms nobody.

    Raises Refused with UNAVAILABLE where the processor does not answer.
    """
    try:
        return await ports.processor.set_up(customer=str(account_id))
    except (ProcessorUnavailable, CardRefused) as error:
        raise Refused(Fault(ErrorCode.UNAVAILABLE, "payments.processor_unavailable")) from error


async def add_method(
    ports: Ports, account_id: UUID, provider_token: str, *, make_default: bool, client: str = ""
) -> Row:
    """Attach a card that the processor's own form tokenised; return its row. The first card becomes the default.

    `client` is the client's address, whose declines count. Raises Refused: PAYMENT_DECLINED where the processor refuses
    the card, RATE_LIMITED after too many declines (rule 38a), UNAVAILABLE where the processor does not answer.
    """
    path = ("providerToken",)
    if not 1 <= len(provider_token) <= TOKEN_LENGTH_MAX or not provider_token.isprintable():
        raise Refused(Fault(ErrorCode.INVALID, "errors.invalid", path))
    if len(await methods_of(account_id)) >= payment_limits().cards_max:
        raise _too_many()
    await refuse_card_tries(ports, card_tries(client=client))
    # Counted before the card is tried, so that many tries at once are no way around; taken back unless it is declined.
    counted = (Limit.DECLINES_PER_ACCOUNT, str(account_id))
    await count_try(ports, counted)
    try:
        card = await ports.processor.attach(provider_token, customer=str(account_id))
    except CardRefused as refusal:
        await count_declines(ports, card_tries(client=client))
        facts = {"reason": refusal.reason, "retryable": False}
        raise Refused(Fault(ErrorCode.PAYMENT_DECLINED, "payments.card_refused", path, facts=facts)) from refusal
    except ProcessorUnavailable as error:
        await take_back(ports, *counted)
        raise Refused(Fault(ErrorCode.UNAVAILABLE, "payments.processor_unavailable")) from error
    await take_back(ports, *counted)
    return await _keep(ports, account_id, card, make_default)


def _too_many() -> Refused:
    params = {"maximum": payment_limits().cards_max}
    return Refused(Fault(ErrorCode.INVALID, "payments.too_many_cards", ("providerToken",), params))


@transactional
async def _keep(ports: Ports, account_id: UUID, card: Card, make_default: bool) -> Row:
    now = ports.now()
    method_id = uuid7()
    await _lock_account(account_id)
    kept = await fetch_one(
        "select * from payment_methods where processor = $1 and card_token = $2", ports.processor.name, card.id
    )
    if kept is not None and kept["removed_at"] is None:
        # The answer to the first call was lost: a processor that knows the card again gives the same token.
        return await _made_default(account_id, read_uuid(kept["id"])) if make_default else kept
    if len(await methods_of(account_id)) >= payment_limits().cards_max:
        raise _too_many()
    has_default = await fetch_one("select id from payment_methods where default_of = $1", account_id)
    if make_default and has_default:
        await execute("update payment_methods set default_of = null where default_of = $1", account_id)
    default_of = account_id if make_default or not has_default else None
    if kept is not None:
        method_id = read_uuid(kept["id"])
        await execute(
            "update payment_methods set removed_at = null, added_at = $1, default_of = $2, expiry_month = $3,"
            " expiry_year = $4 where id = $5",
            now, default_of, card.expiry_month, card.expiry_year, method_id,
        )  # fmt: skip
        await enqueue_notices(ports, method_id, card.expiry_month, card.expiry_year)
        row = await find_method(account_id, method_id)
        assert row is not None, "a processor's card has one customer"
        return row
    await execute(
        "insert into payment_methods (id, account_id, processor, card_token, brand, last4, expiry_month, expiry_year,"
        " default_of, added_at, last_used_at, removed_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, null, null)",
        method_id, account_id, ports.processor.name, card.id, card.brand, card.last4, card.expiry_month,
        card.expiry_year, default_of, now,
    )  # fmt: skip
    await enqueue_notices(ports, method_id, card.expiry_month, card.expiry_year)
    row = await find_method(account_id, method_id)
    assert row is not None
    return row


@transactional
async def set_default(ports: Ports, account_id: UUID, method_id: UUID) -> Row:
    """Offer a card first from now on; return its row. A repeat changes nothing. Raises Refused with NOT_FOUND."""
    await _lock_account(account_id)
    if await find_method(account_id, method_id) is None:
        raise Refused(_NOT_FOUND)
    return await _made_default(account_id, method_id)


@transactional
async def remove_method(ports: Ports, account_id: UUID, method_id: UUID) -> Row:
    """Remove a card from what is offered; return its row, which stays, since refunds go back to it.

    Another card becomes the default. Raises Refused: NOT_FOUND, also for a repeat; INVALID_STATE while AutoPay,
    TextPay or a plan uses it, one fault for each that does.
    """
    await _lock_account(account_id)
    await fetch_one("select id from payment_methods where id = $1 for update", method_id)
    method = await find_method(account_id, method_id)
    if method is None:
        raise Refused(_NOT_FOUND)
    refuse_if(await _uses(method_id))
    await execute("update payment_methods set removed_at = $1, default_of = null where id = $2", ports.now(), method_id)
    await drop_notices(method_id)
    left = await methods_of(account_id)
    if method["default_of"] is not None and left:
        # Of cards that are good the newest, which is likeliest to be meant.
        good = [card for card in left if not is_expired(card["expiry_month"], card["expiry_year"], ports.now())]
        await _made_default(account_id, read_uuid((good or left)[-1]["id"]))
    row = await fetch_one("select * from payment_methods where id = $1", method_id)
    assert row is not None, "cards are never deleted"
    return row


async def _uses(method_id: UUID) -> list[Fault]:
    """Return why a card cannot be removed."""
    path = ("id",)
    faults = []
    for table, name, action in (("auto_pays", "auto_pay", "cancelAutoPay"), ("text_pays", "text_pay", "cancelTextPay")):
        rows = await fetch(
            f"select s.number, t.state from {table} t join service_accounts s on s.id = t.service_account_id"
            " where t.method_id = $1 and t.state <> 'TERMINATED' order by t.id limit 20",
            method_id,
        )
        for row in rows:
            facts = {"current_state": row["state"], "allowed_actions": (action,)}
            key, params = f"payments.card_used_by_{name}", {"number": row["number"]}
            faults.append(Fault(ErrorCode.INVALID_STATE, key, path, params, facts))
    rows = await fetch(
        "select status from plan_subscriptions where payment_method_id = $1"
        " and status in ('ACTIVE', 'PAST_DUE', 'CANCEL_SCHEDULED') order by id limit 20",
        method_id,
    )
    for row in rows:
        facts = {"current_state": row["status"], "allowed_actions": ("setSubscriptionPaymentMethod", "unsubscribe")}
        faults.append(Fault(ErrorCode.INVALID_STATE, "payments.card_used_by_plan", path, facts=facts))
    return faults


async def _lock_account(account_id: UUID) -> None:
    """Lock what decides which card is the default and how many there are."""
    await fetch_one("select id from accounts where id = $1 for update", account_id)


async def _made_default(account_id: UUID, method_id: UUID) -> Row:
    await execute(
        "update payment_methods set default_of = null where default_of = $1 and id <> $2", account_id, method_id
    )
    await execute("update payment_methods set default_of = $1 where id = $2", account_id, method_id)
    row = await find_method(account_id, method_id)
    assert row is not None
    return row


async def methods_of(account_id: UUID) -> Sequence[Row]:
    """Return an account's cards, oldest first; one statement, bounded by how many may be kept."""
    return await fetch(
        "select * from payment_methods where account_id = $1 and removed_at is null order by id limit 50", account_id
    )


async def find_method(account_id: UUID, method_id: UUID) -> Row | None:
    """Return a card of this account that was not removed, or None."""
    return await fetch_one(
        "select * from payment_methods where id = $1 and account_id = $2 and removed_at is null", method_id, account_id
    )


async def is_disputed(method_id: UUID) -> bool:
    """Tell whether a bank took back a payment by a card, unless that was decided in our favour."""
    return await fetch_one(
        "select d.id from disputes d join payments p on p.id = d.payment_id"
        " where p.method_id = $1 and d.status <> 'WON' limit 1",
        method_id,
    ) is not None  # fmt: skip


def is_expired(expiry_month: int, expiry_year: int, now: datetime) -> bool:
    """Tell whether a card's last month is over."""
    return (expiry_year, expiry_month) < (now.year, now.month)
