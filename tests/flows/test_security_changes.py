"""Changing the password, and proving it again (rules 2, 10)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api.adapters.database import fetch
from api.auth.proofs import fresh, require_fresh
from api.domain.faults import Refused
from api.services.balances import watch
from tests.flows.conftest import SECONDS_MAX, Service
from tests.flows.getting_in import EMAIL, ME, PASSWORD, codes, customer, sign_in
from tests.flows.own_account import (
    NEW_PASSWORD,
    REAUTHENTICATE,
    UPDATE,
    WRONG,
    actions,
    change_email,
    change_password,
    viewer_of,
)


@pytest.mark.rule("10")
async def test_a_new_password_signs_in_and_the_old_one_no_more(service: Service) -> None:
    token = await customer(service)

    payload = await change_password(service, token)

    assert payload["errors"] == []
    assert payload["token"] is None
    assert payload["session"]["current"] is True
    assert codes(await sign_in(service)) == ["INVALID_CREDENTIALS"]
    assert codes(await sign_in(service, password=NEW_PASSWORD)) == []


@pytest.mark.row("T3")
@pytest.mark.rule("10")
async def test_a_new_password_ends_all_other_sign_ins_and_lets_the_present_one_go_on(service: Service) -> None:
    strangers = await customer(service, "bob@mail.test")
    here = await customer(service)
    elsewhere = [(await sign_in(service))["token"] for _ in range(2)]

    await change_password(service, here)

    assert [(await service.ask(ME, token=token))["me"] for token in elsewhere] == [None, None]
    assert (await service.ask(ME, token=here))["me"]["email"] == EMAIL
    assert (await service.ask(ME, token=strangers))["me"]["email"] == "bob@mail.test"
    assert (await actions(service, here))[:2] == ["sign_ins_ended", "password_changed"]


@pytest.mark.row("T3")
@pytest.mark.rule("10")
async def test_a_new_password_ends_the_sockets_of_other_sign_ins_at_once_and_no_others(service: Service) -> None:
    here = await viewer_of(service, token := await customer(service))
    there = await viewer_of(service, (await sign_in(service))["token"])
    assert here.account_id is not None
    ours = watch(service.ports, here.account_id, here.sign_in_id)
    theirs = watch(service.ports, here.account_id, there.sign_in_id)
    waiting = [asyncio.ensure_future(anext(changes, None)) for changes in (ours, theirs)]
    await asyncio.sleep(0)

    await change_password(service, token)

    done, pending = await asyncio.wait(waiting, timeout=SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
    assert (done, pending) == ({waiting[1]}, {waiting[0]})
    waiting[0].cancel()
    await asyncio.wait(waiting)


@pytest.mark.row("R1")
@pytest.mark.rule("10")
async def test_a_wrong_current_password_changes_nothing_and_is_noted(service: Service) -> None:
    token = await customer(service)

    payload = await change_password(service, token, WRONG)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("INVALID_CREDENTIALS", ["currentPassword"])
    ]
    assert codes(await sign_in(service)) == []
    assert "password_refused" in await actions(service, token)


@pytest.mark.row("R1", "L4")
@pytest.mark.rule("10")
async def test_guesses_of_the_current_password_share_the_count_of_signing_in(service: Service) -> None:
    token = await customer(service)
    fields = " ".join(f'g{n}: reauthenticate(password: "{WRONG}") {{ errors {{ code }} }}' for n in range(12))

    data = await service.ask(f"mutation {{ {fields} }}", token=token)

    answered = [payload["errors"][0]["code"] for payload in data.values()]
    assert answered == ["INVALID_CREDENTIALS"] * 5 + ["RATE_LIMITED"] * 7
    assert codes(await change_password(service, token)) == ["RATE_LIMITED"]


@pytest.mark.row("L9")
@pytest.mark.rule("10")
async def test_a_right_password_ends_the_count_of_wrong_ones(service: Service) -> None:
    token = await customer(service)

    for _ in range(3):
        answers = [codes(await change_password(service, token, WRONG)) for _ in range(4)]
        assert answers == [["INVALID_CREDENTIALS"]] * 4
        await service.ask(REAUTHENTICATE, {"password": PASSWORD}, token=token)

    assert codes(await change_password(service, token)) == []


@pytest.mark.row("S2", "S8", "S9", "S10")
@pytest.mark.rule("2")
@pytest.mark.parametrize("new", ["Short7A", "alllowercase1", "Password2026!", "Securus horse 7", "Ann@mail.test 7", ""])
async def test_a_new_password_must_be_one_that_signing_up_takes(service: Service, new: str) -> None:
    token = await customer(service)

    payload = await change_password(service, token, WRONG, new)

    assert {tuple(error["path"]) for error in payload["errors"]} == {("newPassword",)}
    assert await fetch("select * from guess_counters where count > 0 and subject like 'sign_ins%'") == []


@pytest.mark.rule("10")
async def test_of_two_new_passwords_at_once_one_is_taken(service: Service) -> None:
    token = await customer(service)
    news = ("Another horse 8 staple", "Third horse 9 staple")

    payloads = await asyncio.gather(*(change_password(service, token, PASSWORD, new) for new in news))

    taken = [new for new, payload in zip(news, payloads, strict=True) if not payload["errors"]]
    assert len(taken) == 1
    assert codes(await sign_in(service, password=taken[0])) == []


@pytest.mark.row("R14")
async def test_a_notice_of_a_new_password_says_when_and_what_to_do_and_holds_no_secret(service: Service) -> None:
    token = await customer(service)

    await change_password(service, token)

    notice = (await service.mails(EMAIL))[0]
    assert notice.subject == "Your password was changed"
    assert "UTC" in notice.text
    assert "If it was not you" in notice.text
    assert "972-734-1111" in notice.text
    assert PASSWORD not in notice.text
    assert NEW_PASSWORD not in notice.text


@pytest.mark.rule("37")
async def test_a_notice_is_in_the_holders_language(service: Service) -> None:
    token = await customer(service)
    await service.ask(UPDATE, {"input": {"locale": "es"}}, token=token)

    await change_password(service, token)

    assert (await service.mails(EMAIL))[0].subject == "Se cambió su contraseña"


async def test_a_new_password_takes_back_a_change_of_the_address_that_waits(service: Service) -> None:
    token = await customer(service)
    await change_email(service, token, "new@mail.test")

    await change_password(service, token)

    (link,) = await service.links("new@mail.test")
    data = await service.ask(
        "mutation($token: String!) { verifyEmail(token: $token) { errors { code } } }", {"token": link}
    )
    assert codes(data["verifyEmail"]) == ["TOKEN_INVALID"]


@pytest.mark.row("P5")
@pytest.mark.rule("10")
async def test_signing_in_proves_the_password_for_five_minutes(service: Service) -> None:
    token = await customer(service)
    assert fresh(await viewer_of(service, token), service.ports.now())

    await service.advance(timedelta(minutes=5))

    viewer = await viewer_of(service, token)
    with pytest.raises(Refused, match="REAUTHENTICATION_REQUIRED"):
        require_fresh(viewer, service.ports)


@pytest.mark.row("P5")
@pytest.mark.rule("10")
async def test_proving_the_password_again_is_good_for_another_five_minutes(service: Service) -> None:
    token = await customer(service)
    await service.advance(timedelta(hours=1))

    payload = (await service.ask(REAUTHENTICATE, {"password": PASSWORD}, token=token))["reauthenticate"]

    assert payload == {"token": None, "session": {"current": True}, "account": {"email": EMAIL}, "errors": []}
    require_fresh(await viewer_of(service, token), service.ports)


@pytest.mark.row("P5")
@pytest.mark.rule("10")
async def test_a_proof_is_of_the_sign_in_that_gave_it_alone(service: Service) -> None:
    here = await customer(service)
    there = (await sign_in(service))["token"]
    await service.advance(timedelta(hours=1))

    await service.ask(REAUTHENTICATE, {"password": PASSWORD}, token=here)

    assert not fresh(await viewer_of(service, there), service.ports.now())


@pytest.mark.rule("10")
async def test_a_wrong_password_proves_nothing(service: Service) -> None:
    token = await customer(service)
    await service.advance(timedelta(hours=1))

    payload = (await service.ask(REAUTHENTICATE, {"password": WRONG}, token=token))["reauthenticate"]

    assert (payload["session"], codes(payload)) == (None, ["INVALID_CREDENTIALS"])
    assert not fresh(await viewer_of(service, token), service.ports.now())


@pytest.mark.rule("10")
async def test_what_takes_the_password_wants_no_fresh_proof_besides(service: Service) -> None:
    token = await customer(service)
    await service.advance(timedelta(hours=1))

    assert codes(await change_email(service, token, "new@mail.test")) == []
    assert codes(await change_password(service, token)) == []
