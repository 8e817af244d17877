"""Codes on paper that stand in for the second factor, once each (rule 10)."""

from __future__ import annotations

import pytest

from api.adapters.database import execute
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, codes, customer
from tests.flows.own_account import activity
from tests.flows.second_steps import answer, challenge_of, enrol


@pytest.mark.rule("10")
async def test_a_recovery_code_stands_in_for_the_phone_once(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    typed = phone.paper[3].lower().replace("-", " ")

    first = await answer(service, await challenge_of(service, EMAIL), typed)
    again = await answer(service, await challenge_of(service, EMAIL), phone.paper[3])

    assert first["token"]
    assert codes(again) == ["INVALID_CREDENTIALS"]


@pytest.mark.rule("10")
@pytest.mark.parametrize(
    "locale, subject, left",
    [("en", "A recovery code was used", "codes left: 9"), ("es", "Se usó un código de recuperación", "restantes: 9")],
)
async def test_a_recovery_code_that_was_used_is_noted_and_told_by_mail_with_how_many_are_left(
    service: Service, locale: str, subject: str, left: str
) -> None:
    token = await customer(service)
    phone = await enrol(service, token)
    await execute("update accounts set locale = $1", locale)
    await answer(service, await challenge_of(service, EMAIL), phone.code())
    before = await service.mails(EMAIL)

    await answer(service, await challenge_of(service, EMAIL), phone.paper[0])

    (mail,) = [mail for mail in await service.mails(EMAIL) if mail not in before]
    assert mail.subject == subject
    assert left in mail.text
    assert phone.paper[0] not in mail.text
    noted = [act["summary"] for act in await activity(service, token) if act["action"] == "recovery_code_used"]
    assert len(noted) == 1
    assert left in noted[0]


@pytest.mark.rule("10")
async def test_somebody_elses_recovery_code_is_wrong(service: Service) -> None:
    mine = await enrol(service, await customer(service))
    await enrol(service, await customer(service, "bob@mail.test"))

    payload = await answer(service, await challenge_of(service, "bob@mail.test"), mine.paper[0])

    assert codes(payload) == ["INVALID_CREDENTIALS"]
