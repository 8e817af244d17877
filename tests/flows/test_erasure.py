"""What is erased once a deletion is over, what stays, and the export before it (rule 27a; checklist D3 to D6)."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, fetch_one
from api.adapters.mail import Mail, MailUnavailable
from api.routes.exports import export_route
from api.services.audit import audit
from api.services.sign_ups import question_codes
from tests import factories
from tests.flows.closing import DAY, agreed, ask_deletion, by_receipt, delete, pass_time, preview
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, codes, customer, sign_in
from tests.flows.money import count, pay

PERSONAL = ("ann@mail.test", "Ann", "Lee", "12 Elm Street", "+12145550123", "+1505", "argon2", "cus_", "card_")
URL = "{ me { dataExportUrl } }"


async def everything() -> str:
    """Return all that the database holds of customers, but for the sandbox's mails and guards."""
    tables = (
        "accounts", "activity", "account_phones", "calls", "challenges", "closures", "consents", "deletion_codes",
        "due_work", "email_changes", "notification_preferences", "outbox_events", "password_resets", "payment_methods",
        "payments", "pending_sign_ups", "recovery_codes", "refunds", "refund_events", "second_factors",
        "security_answers", "cancellations", "sign_ins", "text_pays", "used_emails", "held_funds",
    )  # fmt: skip
    return "\n".join([str([dict(row) for row in await fetch(f"select * from {table}")]) for table in tables])


@pytest.mark.rule("27a")
async def test_when_the_refund_is_over_nothing_personal_is_left_and_the_ledger_is(service: Service) -> None:
    token = await customer(service)
    row = await fetch_one("select id from accounts")
    assert row is not None
    await service.ask(
        'mutation { openServiceAccount(input: {product: ADVANCE_CONNECT, phone: "505-555-0100", idempotencyKey: "o"})'
        " { errors { code } } }",
        token=token,
    )
    (opened,) = await fetch("select id from service_accounts")
    await factories.fund(service.ports, factories.read_uuid(opened["id"]), 500)
    entries = await count("journal_entries")
    payload = await ask_deletion(service, token, agreed(await preview(service, token)))
    kept_meanwhile = await everything()

    await pass_time(service, timedelta(days=40))

    left = await everything()
    assert "Elm" in kept_meanwhile
    assert [word for word in PERSONAL if word in left] == []
    assert await count("journal_entries") > entries
    (account,) = await fetch("select status, created_at from accounts")
    assert account["status"] == "DELETED"
    assert (await by_receipt(service, payload["receiptToken"]))["refunds"][0]["destination"] == "Dallas, TX 75201"
    actions = {each["action"] for each in await fetch("select action from activity")}
    assert actions == {"account_opened", "account_deletion_asked", "account_deleted"}
    assert (await audit()).differences == ()


@pytest.mark.rule("27a")
async def test_the_card_that_money_went_to_is_still_named_but_its_token_is_gone(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await pay(service, ann, await ann.quote(opened), await ann.card())
    receipt = (await delete(service, ann))["receiptToken"]

    await pass_time(service, timedelta(days=15))

    after = await by_receipt(service, receipt)
    (card,) = await fetch("select card_token, last4 from payment_methods")
    assert (after["status"], after["refunds"][0]["status"]) == ("COMPLETED", "COMPLETED")
    assert "4242" in after["refunds"][0]["destination"]
    assert card["card_token"].startswith("erased-")


@pytest.mark.rule("27a")
async def test_nothing_is_erased_while_money_is_held_for_the_holder(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    await delete(service, ann)
    await pass_time(service, DAY)
    (refund,) = await fetch("select id, account_id, closure_id from refunds")
    await execute(
        "insert into held_funds (id, account_id, refund_id, closure_id, state, amount, cause, held_since, residence)"
        " values ($1, $2, $3, $4, 'HELD', 500, 'returned', $5, 'TX')",
        uuid7(), refund["account_id"], refund["id"], refund["closure_id"], service.ports.now(),
    )  # fmt: skip

    await pass_time(service, timedelta(days=40))

    (account,) = await fetch("select status, first_name, email from accounts")
    assert (account["status"], account["first_name"], account["email"]) == ("DELETED", "Ann", ann.email)


@pytest.mark.rule("21")
async def test_after_it_nobody_gets_in_by_any_way(service: Service) -> None:
    token = await customer(service)
    found = await service.ask("{ me { id } }", token=token)
    await ask_deletion(service, token, agreed(await preview(service, token)))
    await service.work()

    shown = await service.run("query($id: ID!) { node(id: $id) { id } }", {"id": found["me"]["id"]}, token=token)
    signed_in = await sign_in(service)

    assert shown.data == {"node": None}
    assert codes(signed_in) == ["INVALID_CREDENTIALS"]
    (row,) = await fetch("select id from accounts")
    assert await question_codes(row["id"]) == []


async def test_the_export_holds_what_is_kept_and_no_secret_for_fifteen_minutes(service: Service) -> None:
    token = await customer(service)
    ben = await factories.holder(service, "ben@mail.test")
    await ben.advance_connect(500)
    url = (await service.ask(URL, token=token))["me"]["dataExportUrl"]
    app = Starlette(routes=[export_route(service.ports)])
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://calls.example", trust_env=False)

    answer = await client.get(url)
    forged = await client.get(url[:-1] + ("A" if url[-1] != "A" else "B"))
    await service.advance(timedelta(minutes=15))
    late = await client.get(url)

    exported = json.loads(answer.text)
    assert (answer.status_code, forged.status_code, late.status_code) == (200, 404, 404)
    assert (exported["account"]["email"], exported["account"]["line1"]) == (EMAIL, "12 Elm Street")
    assert [each["question_code"] for each in exported["security_questions"]] == [
        "first_pet", "birth_city", "first_school",
    ]  # fmt: skip
    assert {each["action"] for each in exported["activity"]} == {"account_opened", "signed_in"}
    assert exported["services"] == []
    assert "argon2" not in answer.text
    assert "hash" not in answer.text


async def test_the_export_of_a_long_ledger_comes_whole(service: Service) -> None:
    ann, switch = await factories.holder(service), await factories.switch_key(service)
    opened = await ann.advance_connect(500)
    assert switch
    for n in range(3):
        await factories.charged_call(service.ports, await factories.switch_id(), opened, f"call-{n}")
    url = (await service.ask(URL, token=ann.token))["me"]["dataExportUrl"]
    app = Starlette(routes=[export_route(service.ports)])
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://calls.example", trust_env=False)

    exported = json.loads((await client.get(url)).text)

    assert len(exported["calls"]) == 3
    assert [each["amount"] for each in exported["transactions"]] == [500, -10, -10, -10]
    await delete(service, ann)
    assert (await client.get(url)).status_code == 404


@pytest.mark.rule("27a")
async def test_texts_and_mails_that_were_given_up_are_forgotten_with_their_holder(service: Service) -> None:
    ann = await factories.holder(service)
    ben = await factories.holder(service, "ben@mail.test")
    (phone,) = [row["phone"] for row in await fetch("select phone from accounts where id = $1", ann.account_id)]
    for kind, to, key in (("text", phone, "a"), ("mail", ann.email, "b"), ("mail", ben.email, "c")):
        await execute(
            "insert into due_work (id, kind, key, due_at, payload, attempt, failures, failed_at, created_at)"
            " values ($1, $2, $3, $4, $5, 12, 12, $4, $4)",
            uuid7(), kind, key, service.ports.now(), json.dumps({"to": to}),
        )  # fmt: skip

    await delete(service, ann)
    await pass_time(service, timedelta(days=3))

    kept = await fetch("select key from due_work where failed_at is not null")
    assert [row["key"] for row in kept] == ["c"]


class Bouncing:
    """A mail server that knows none of the addresses."""

    async def send(self, mail: Mail) -> None:
        raise MailUnavailable("the mail server: 550", permanent=True)


@pytest.mark.rule("27a")
async def test_a_mail_that_comes_back_after_the_deletion_keeps_no_address(service: Service) -> None:
    ann = await factories.holder(service)
    service.ports.mailer = Bouncing()

    await delete(service, ann, contactEmail="kin@mail.test")
    await pass_time(service, timedelta(days=3))

    assert "mail.test" not in await everything()
