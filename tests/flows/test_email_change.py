"""Changing the e-mail address (rules 5, 7, 10)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch
from api.adapters.live import WatcherEnded
from tests.flows.conftest import SECONDS_MAX, Service
from tests.flows.getting_in import (
    EMAIL,
    ME,
    PASSWORD,
    VERIFY,
    codes,
    customer,
    sign_in,
    sign_up,
    verify,
)
from tests.flows.own_account import CHANGE_EMAIL, PENDING, WRONG, account_key, actions, change_email, viewer_of

NEW = "anna@mail.test"
ACCEPTED = {"accepted": True, "errors": []}


async def follow(service: Service, token: str | None, link: str) -> list[str]:
    return codes((await service.ask(VERIFY, {"token": link}, token=token))["verifyEmail"])


async def changed(service: Service) -> str:
    """Change the address of a new customer, who follows the link where the change was asked for; return the token."""
    token = await customer(service)
    assert await change_email(service, token, NEW) == ACCEPTED
    assert await follow(service, token, (await service.links(NEW))[0]) == []
    return token


@pytest.mark.row("E1")
@pytest.mark.rule("10")
async def test_the_address_is_not_changed_without_the_password(service: Service) -> None:
    token = await customer(service)

    payload = await change_email(service, token, NEW, WRONG)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID_CREDENTIALS", ["password"])]
    assert await service.mails(NEW) == []
    assert (await service.ask(PENDING, token=token))["me"]["pendingEmail"] is None


@pytest.mark.row("S15")
async def test_what_is_no_address_is_refused(service: Service) -> None:
    token = await customer(service)

    payload = await change_email(service, token, "anna@mail.test\r\nBcc: eve@mail.test")

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID", ["newEmail"])]


@pytest.mark.row("E2")
@pytest.mark.rule("5")
async def test_until_it_is_confirmed_the_old_address_signs_in_and_gets_the_mails(service: Service) -> None:
    token = await customer(service)

    await change_email(service, token, "Anna@mail.test")

    assert (await service.ask(PENDING, token=token))["me"] == {"email": EMAIL, "pendingEmail": "Anna@mail.test"}
    assert codes(await sign_in(service, NEW)) == ["INVALID_CREDENTIALS"]
    assert codes(await sign_in(service)) == []
    (confirm,) = await service.mails(NEW)
    assert confirm.subject == "Confirm your new email address"
    assert "Ann" not in confirm.text


@pytest.mark.row("E2")
@pytest.mark.rule("5")
async def test_once_it_is_confirmed_the_new_address_signs_in_and_the_old_one_no_more(service: Service) -> None:
    token = await changed(service)

    assert (await service.ask(PENDING, token=token))["me"] == {"email": NEW, "pendingEmail": None}
    assert codes(await sign_in(service, NEW)) == []
    assert codes(await sign_in(service)) == ["INVALID_CREDENTIALS"]
    assert (await actions(service, token))[:2] == ["signed_in", "email_changed"]


@pytest.mark.row("E3")
@pytest.mark.rule("10")
async def test_the_old_address_is_told_when_it_is_asked_for_and_when_it_is_done(service: Service) -> None:
    await changed(service)

    done, asked = (await service.mails(EMAIL))[:2]
    assert (done.subject, asked.subject) == ("Your email address was changed", "A new email address for your account")
    for mail in (done, asked):
        assert NEW in mail.text
        assert "If it was not you" in mail.text
        assert "verify?token" not in mail.text


@pytest.mark.row("E4")
@pytest.mark.rule("7")
async def test_a_free_a_taken_and_the_own_address_are_answered_alike(service: Service) -> None:
    token = await customer(service)
    await customer(service, "bob@mail.test")

    answers = [await change_email(service, token, email) for email in (NEW, "bob@mail.test", "ANN@mail.test")]

    assert answers == [ACCEPTED] * 3


@pytest.mark.row("E4")
@pytest.mark.rule("7")
async def test_a_taken_address_looks_as_if_it_waited_and_only_its_owner_learns_more(service: Service) -> None:
    token = await customer(service)
    await customer(service, "bob@mail.test")

    await change_email(service, token, "bob@mail.test")

    assert (await service.ask(PENDING, token=token))["me"]["pendingEmail"] == "bob@mail.test"
    assert (await service.mails(EMAIL))[0].subject == "A new email address for your account"
    newest, *_ = await service.mails("bob@mail.test")
    assert newest.subject == "You already have an account"
    assert len(await service.links("bob@mail.test")) == 1
    assert EMAIL not in newest.text


async def test_asking_for_the_own_address_takes_a_change_back(service: Service) -> None:
    token = await customer(service)
    await change_email(service, token, NEW)

    await change_email(service, token, EMAIL)

    assert (await service.ask(PENDING, token=token))["me"]["pendingEmail"] is None
    assert (await service.mails(EMAIL))[0].subject == "This is your email address already"
    assert await verify(service, (await service.links(NEW))[0]) == ["TOKEN_INVALID"]


@pytest.mark.row("E5")
@pytest.mark.rule("5")
async def test_of_two_accounts_that_confirm_one_address_at_once_the_first_has_it(service: Service) -> None:
    emails = (EMAIL, "bob@mail.test")
    tokens = [await customer(service, email) for email in emails]
    for token in tokens:
        await change_email(service, token, NEW)
    links = await service.links(NEW)

    outcomes = await asyncio.gather(*(verify(service, link) for link in links))

    assert sorted(outcomes) == [[], ["TOKEN_INVALID"]]
    keys = {row["email_key"] for row in await fetch("select email_key from accounts")}
    assert NEW in keys
    assert len(keys & set(emails)) == 1


@pytest.mark.row("E5")
@pytest.mark.rule("5")
async def test_an_address_that_got_an_account_meanwhile_is_not_taken_from_it(service: Service) -> None:
    token = await customer(service)
    await change_email(service, token, NEW)
    (link,) = await service.links(NEW)
    await customer(service, NEW)

    assert await verify(service, link) == ["TOKEN_INVALID"]
    assert (await service.ask(ME, token=token))["me"]["email"] == EMAIL


async def test_sign_ups_that_wait_at_the_address_end_when_it_is_confirmed(service: Service) -> None:
    await sign_up(service, NEW)
    (of_sign_up,) = await service.links(NEW)

    await changed(service)

    assert await verify(service, of_sign_up) == ["TOKEN_INVALID"]


@pytest.mark.row("E6")
@pytest.mark.rule("5")
async def test_a_newer_change_ends_the_older_link(service: Service) -> None:
    token = await customer(service)
    await change_email(service, token, NEW)
    await change_email(service, token, "ana@mail.test")

    assert await verify(service, (await service.links(NEW))[0]) == ["TOKEN_INVALID"]
    assert await verify(service, (await service.links("ana@mail.test"))[0]) == []


@pytest.mark.row("S18")
@pytest.mark.rule("5")
async def test_a_link_works_once_even_when_it_is_followed_twice_at_once(service: Service) -> None:
    token = await customer(service)
    await change_email(service, token, NEW)
    (link,) = await service.links(NEW)

    outcomes = await asyncio.gather(verify(service, link), verify(service, link))

    assert sorted(outcomes) == [[], ["TOKEN_INVALID"]]


@pytest.mark.rule("5")
async def test_a_link_is_too_old_after_24_hours(service: Service) -> None:
    token = await customer(service)
    await change_email(service, token, NEW)
    (link,) = await service.links(NEW)
    await service.advance(timedelta(hours=24))

    assert await verify(service, link) == ["TOKEN_EXPIRED"]
    token = (await sign_in(service))["token"]
    assert (await service.ask(PENDING, token=token))["me"] == {"email": EMAIL, "pendingEmail": None}


@pytest.mark.row("T3")
@pytest.mark.rule("10")
async def test_a_link_followed_elsewhere_ends_all_sign_ins(service: Service) -> None:
    tokens = [await customer(service), (await sign_in(service))["token"]]
    await change_email(service, tokens[0], NEW)

    assert await verify(service, (await service.links(NEW))[0]) == []

    assert [(await service.ask(ME, token=token))["me"] for token in tokens] == [None, None]


@pytest.mark.row("T3")
@pytest.mark.rule("10")
async def test_a_link_followed_by_a_sign_in_ends_the_others_and_their_sockets(service: Service) -> None:
    here, there = await customer(service), (await sign_in(service))["token"]
    ours, theirs = await viewer_of(service, here), await viewer_of(service, there)
    assert ours.account_id is not None
    await change_email(service, here, NEW)
    (link,) = await service.links(NEW)

    with (
        service.ports.live.watch(ours.account_id, ours.sign_in_id) as mine,
        service.ports.live.watch(ours.account_id, theirs.sign_in_id) as other,
    ):
        assert await follow(service, here, link) == []
        with pytest.raises(WatcherEnded):
            await other.next(SECONDS_MAX)
        with pytest.raises(TimeoutError):
            await mine.next(0.01)

    assert (await service.ask(ME, token=here))["me"]["email"] == NEW
    assert (await service.ask(ME, token=there))["me"] is None


@pytest.mark.row("R19")
@pytest.mark.rule("6")
async def test_a_reset_under_way_ends_when_the_address_is_changed(service: Service) -> None:
    token = await customer(service)
    await change_email(service, token, NEW)
    now = service.ports.now()
    await execute(
        "insert into password_resets (id, subject, live_subject, account_id, code_hash, code_tries, token_hash,"
        " answer_tries, created_at, expires_at) values ($1, 's', 's', $2, 'c', 0, 't', 0, $3, $4)",
        uuid7(), await account_key(EMAIL), now, now + timedelta(minutes=10),
    )  # fmt: skip

    assert await verify(service, (await service.links(NEW))[0]) == []

    assert await fetch("select id from password_resets") == []


@pytest.mark.rule("10")
async def test_an_account_can_mail_strangers_ten_times_a_day(service: Service) -> None:
    token = await customer(service)

    answers = [codes(await change_email(service, token, f"p{n}@mail.test")) for n in range(11)]

    assert answers == [[]] * 10 + [["RATE_LIMITED"]]


@pytest.mark.rule("10")
async def test_a_stranger_gets_five_mails_an_hour_however_many_changes_are_asked_for(service: Service) -> None:
    token = await customer(service)

    answers = [await change_email(service, token, NEW) for _ in range(7)]

    assert answers == [ACCEPTED] * 7
    assert len(await service.mails(NEW)) == 5


async def test_nobody_who_is_signed_out_can_change_an_address(service: Service) -> None:
    result = await service.run(CHANGE_EMAIL, {"new": NEW, "password": PASSWORD})

    assert [error.extensions["code"] for error in result.errors or ()] == ["UNAUTHENTICATED"]
