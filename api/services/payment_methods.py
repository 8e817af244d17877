"""Payment methods: cards as tokens of the processor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, transactional
from api.adapters.payments import Card, CardRefused, ProcessorUnavailable
from api.adapters.ports import Ports
from api.auth.limits import Limit, count_try, take_back
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.payment_data import payment_limits
from api.services.card_tries import card_tries, count_declines, refuse_card_tries

TOKEN_LENGTH_MAX = 200


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
    await fetch_one("select id from accounts where id = $1 for update", account_id)
    if len(await methods_of(account_id)) >= payment_limits().cards_max:
        raise _too_many()
    has_default = await fetch_one("select id from payment_methods where default_of = $1", account_id)
    if make_default and has_default:
        await execute("update payment_methods set default_of = null where default_of = $1", account_id)
    await execute(
        "insert into payment_methods (id, account_id, processor, card_token, brand, last4, expiry_month, expiry_year,"
        " default_of, added_at, last_used_at, removed_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, null, null)",
        method_id, account_id, ports.processor.name, card.id, card.brand, card.last4, card.expiry_month,
        card.expiry_year, account_id if make_default or not has_default else None, now,
    )  # fmt: skip
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


def is_expired(expiry_month: int, expiry_year: int, now: datetime) -> bool:
    """Tell whether a card's last month is over."""
    return (expiry_year, expiry_month) < (now.year, now.month)
