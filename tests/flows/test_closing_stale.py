"""What changes between preview and closing makes it STALE, and says what (rule 20)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, read_uuid
from api.domain.service_accounts import Product
from api.services.closure_facts import PARTS
from api.services.service_accounts import open_service
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.closing import agreed, ask_deletion, preview
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import count

Change = Callable[[Service, Holder, Opened], Awaitable[None]]


async def address(service: Service, ann: Holder, opened: Opened) -> None:
    await execute("update accounts set line1 = '1 Oak', address_revision = 2 where id = $1", ann.account_id)


async def balance(service: Service, ann: Holder, opened: Opened) -> None:
    await factories.fund(service.ports, opened.key, 100)


async def services(service: Service, ann: Holder, opened: Opened) -> None:
    await open_service(service.ports, ann.account_id, Product.VIDEO_CONNECT, None, "video")


async def invoices(service: Service, ann: Holder, opened: Opened) -> None:
    await execute(
        "insert into invoices (id, account_id, service_account_id, number, kind, status, statement_date, due_date,"
        " total, due, issued_at) values ($1, $2, $3, 'I-1', 'MONTHLY', 'OPEN', $4, $4, 100, 100, $5)",
        uuid7(), ann.account_id, opened.key, service.ports.now().date(), service.ports.now(),
    )  # fmt: skip


async def autopay(service: Service, ann: Holder, opened: Opened) -> None:
    await execute(
        "insert into auto_pays (id, account_id, service_account_id, method_id, state, threshold, amount, consent_id,"
        " tries, set_at) values ($1, $2, $3, $4, 'ON', 500, 1000, $1, 0, $5)",
        uuid7(), ann.account_id, opened.key, await _card(ann), service.ports.now(),
    )  # fmt: skip


async def textpay(service: Service, ann: Holder, opened: Opened) -> None:
    await execute(
        "insert into text_pays (id, account_id, service_account_id, method_id, phone, live_phone, state, threshold,"
        " amount, consent_id, set_at) values ($1, $2, $3, $4, '+12145550123', '+12145550123', 'ON', 500, 1000, $1, $5)",
        uuid7(), ann.account_id, opened.key, await _card(ann), service.ports.now(),
    )  # fmt: skip


async def subscriptions(service: Service, ann: Holder, opened: Opened) -> None:
    await factories.subscription(service, ann.account_id)


async def _card(ann: Holder) -> UUID:
    return await factories.card_key(ann)


CHANGES: dict[str, tuple[Change, set[str]]] = {
    "address": (address, {"address", "refunds"}),
    "balance": (balance, {"balance", "refunds"}),
    "services": (services, {"services"}),
    "invoices": (invoices, {"invoices"}),
    "autopay": (autopay, {"autopay"}),
    "textpay": (textpay, {"textpay"}),
    "subscriptions": (subscriptions, {"subscriptions"}),
}


@pytest.mark.rule("20")
@pytest.mark.parametrize("part", CHANGES)
async def test_a_change_since_the_preview_is_named_and_nothing_is_deleted(service: Service, part: str) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    shown = await preview(service, ann.token)
    change, named = CHANGES[part]
    await change(service, ann, opened)

    payload = await ask_deletion(service, ann.token, agreed(shown))

    stale = next(error for error in payload["errors"] if error["code"] == "STALE")
    assert stale["__typename"] == "StaleError"
    # The refund's place is of the address, but "12 Elm" and "1 Oak" are in the same city.
    assert set(stale["changed"]) in (named, named - {"refunds"})
    assert await count("closures") == 0


@pytest.mark.rule("20")
async def test_more_stamps_since_the_preview_are_named(service: Service) -> None:
    ann = await factories.holder(service)
    row, _ = await open_service(service.ports, ann.account_id, Product.EMESSAGING, None, "stamps")
    shown = await preview(service, ann.token)
    await factories.stamps(service.ports, row["id"], 3)

    payload = await ask_deletion(service, ann.token, agreed(shown))

    assert payload["errors"][0]["changed"] == ["balance", "stamps"]
    assert codes(payload) == ["STALE", "ACKNOWLEDGEMENT_MISSING"]


@pytest.mark.rule("20")
async def test_an_address_revision_that_was_not_seen_is_stale(service: Service) -> None:
    ann = await factories.holder(service)

    payload = await ask_deletion(service, ann.token, agreed(await preview(service, ann.token), addressRevision=7))

    assert payload["errors"][0]["changed"] == ["address"]


@pytest.mark.rule("20")
async def test_a_preview_is_good_for_fifteen_minutes_and_the_window_moves_with_the_day(service: Service) -> None:
    ann = await factories.holder(service)
    shown = await preview(service, ann.token)
    await service.advance(timedelta(minutes=15))
    await execute("update sign_ins set proved_at = $1", service.ports.now())

    payload = await ask_deletion(service, ann.token, agreed(shown))

    assert codes(payload) == ["TOKEN_EXPIRED"]


@pytest.mark.rule("20")
async def test_a_preview_serves_its_own_account_and_its_own_service_alone(service: Service) -> None:
    ann, ben = await factories.holder(service), await factories.holder(service, "ben@mail.test")
    opened = await ann.advance_connect()
    of_service = await preview(service, ann.token, opened.id)
    of_ben = await preview(service, ben.token)

    refused = [await ask_deletion(service, ann.token, agreed(shown)) for shown in (of_service, of_ben)]
    forged = await ask_deletion(service, ann.token, agreed(of_ben, previewToken=of_ben["token"][:-2] + "xx"))

    assert [codes(payload) for payload in (*refused, forged)] == [["TOKEN_INVALID"]] * 3


@pytest.mark.rule("21")
async def test_autopay_and_textpay_end_at_once_and_offers_are_withdrawn(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    await autopay(service, ann, opened)
    await textpay(service, ann, opened)
    (text_pay,) = await fetch("select id from text_pays")
    now = service.ports.now()
    await execute(
        "insert into text_offers (id, text_pay_id, open_for, state, amount, offered_at, expires_at)"
        " values ($1, $2, $2, 'OPEN', 1000, $3, $3)",
        uuid7(), read_uuid(text_pay["id"]), now,
    )  # fmt: skip
    shown = await preview(service, ann.token)

    assert (await ask_deletion(service, ann.token, agreed(shown)))["errors"] == []

    assert "AUTOPAY_TEXTPAY_TERMINATED" in {each["code"] for each in shown["consequences"]}
    ended = [await fetch(f"select state, ended_at from {table}") for table in ("auto_pays", "text_pays", "text_offers")]
    assert [(rows[0]["state"], rows[0]["ended_at"] is not None) for rows in ended] == [
        ("TERMINATED", True), ("TERMINATED", True), ("WITHDRAWN", True),
    ]  # fmt: skip
    freed = await fetch("select t.live_phone, o.open_for from text_pays t, text_offers o")
    assert (freed[0]["live_phone"], freed[0]["open_for"]) == (None, None)


def test_each_part_is_known_to_the_contract() -> None:
    assert set(CHANGES) | {"stamps", "sessions", "refunds"} == set(PARTS)
