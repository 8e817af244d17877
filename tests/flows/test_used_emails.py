"""The address of a deleted account is never used again, and nobody can tell from an answer (rules 7 and 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.adapters.database import execute, fetch, fetch_one
from api.adapters.secrets import Secrets
from api.services.used_emails import is_used, keep_key
from tests import factories
from tests.flows.closing import DAY, agreed, ask_deletion, pass_time, preview
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, RESEND, SIGN_UP, codes, customer, sign_in, sign_up_input
from tests.flows.own_account import change_email
from tests.flows.resets import REQUEST

USED = "This email address cannot be used again"


async def deleted(service: Service, email: str = EMAIL) -> str:
    """Have a customer delete the account, which has no services; return the token."""
    token = await customer(service, email)
    assert (await ask_deletion(service, token, agreed(await preview(service, token))))["errors"] == []
    return token


async def answers(service: Service, email: str) -> list[dict[str, Any]]:
    """Return how each public mutation answers for an address."""
    asked = ((SIGN_UP, {"input": sign_up_input(email)}), (RESEND, {"email": email}), (REQUEST, {"email": email}))
    return [await service.ask(document, variables) for document, variables in asked]


@pytest.mark.rule("8")
async def test_each_way_answers_as_for_a_free_address_and_a_mail_explains(service: Service) -> None:
    await deleted(service)
    used, free = await answers(service, EMAIL.upper()), await answers(service, "free@mail.test")

    assert used == free
    subjects = [mail.subject for mail in await service.mails(EMAIL)]
    assert subjects.count(USED) == 3
    assert (await fetch_one("select count(*) as n from accounts where status = 'ACTIVE'") or {})["n"] == 0


@pytest.mark.rule("8")
async def test_already_while_the_account_is_being_deleted_the_mail_says_so(service: Service) -> None:
    token = await customer(service)
    row = await fetch_one("select id from accounts")
    assert row is not None
    opened = await service.ask(
        'mutation { openServiceAccount(input: {product: ADVANCE_CONNECT, phone: "505-555-0100", idempotencyKey: "o"})'
        " { errors { code } } }",
        token=token,
    )
    assert opened["openServiceAccount"]["errors"] == []
    await ask_deletion(service, token, agreed(await preview(service, token)))

    await service.ask(SIGN_UP, {"input": sign_up_input()})

    assert (await fetch("select status from accounts"))[0]["status"] == "CLOSING"
    assert (await service.mails(EMAIL))[0].subject == USED


@pytest.mark.rule("8")
async def test_signing_in_and_changing_to_it_are_as_if_it_had_never_been(service: Service) -> None:
    await deleted(service)
    other = await customer(service, "ben@mail.test")

    gone, unknown = await sign_in(service), await sign_in(service, "nobody@mail.test")
    moved = await change_email(service, other, EMAIL)

    assert gone == unknown
    assert codes(gone) == ["INVALID_CREDENTIALS"]
    assert codes(moved) == []
    assert (await service.mails(EMAIL))[0].subject == USED
    assert await service.links(EMAIL) == [(await service.links(EMAIL))[-1]]  # Only that of the first sign-up.


@pytest.mark.rule("8")
async def test_only_a_keyed_hash_is_kept_and_it_outlives_the_rotation_of_the_key(service: Service) -> None:
    await deleted(service)
    await pass_time(service, DAY)

    rows = await fetch("select * from used_emails")
    kept = [str(value) for row in rows for value in dict(row).values()]
    rotated = replace(service.ports, secrets=Secrets("another key for tests", "a key for tests only"))
    while_rotating = await is_used(rotated, EMAIL)
    await keep_key(rotated)
    after = await is_used(replace(service.ports, secrets=Secrets("another key for tests")), EMAIL)

    assert len(rows) == 1
    assert EMAIL not in " ".join(kept)
    assert (while_rotating, after) == (True, True)


@pytest.mark.rule("8")
async def test_nothing_drops_a_used_address(service: Service) -> None:
    await deleted(service)

    for statement in ("delete from used_emails", "delete from lasting_keys", "update used_emails set email_hash = 'x'"):
        with pytest.raises(Exception, match="never"):
            await execute(statement)


@pytest.mark.rule("8")
async def test_a_link_that_was_mailed_before_opens_nothing(service: Service) -> None:
    ann = await factories.holder(service, EMAIL)
    await ask_deletion(service, ann.token, agreed(await preview(service, ann.token)))
    await pass_time(service, DAY)
    await service.ask(SIGN_UP, {"input": sign_up_input()})

    assert await service.links(EMAIL) == []
