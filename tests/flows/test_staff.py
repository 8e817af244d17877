"""Staff sign in beside customers, and outside the sandbox only to set up a second factor at first (rules 10, 39)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from api.adapters.database import execute, fetch
from api.domain.accounts import Role
from api.domain.faults import ErrorCode, Refused
from api.jobs.open_sockets import OpenSockets
from api.services import demo
from api.services.staff import add_staff
from tests.flows.conftest import Service
from tests.flows.doors import door, open_socket
from tests.flows.getting_in import EMAIL, ME, PASSWORD, SIGN_OUT, codes, customer, sign_in, sign_up, verify
from tests.flows.second_steps import CONFIRM, DISABLE, ENABLE, answer, begin_enrolment, challenge_of, enrol

AGENT = "agent@example.org"
STAFF = "{ staff { name roles } }"
ROOT = Path(__file__).parents[2]


async def member(service: Service, email: str = AGENT, roles: Iterable[Role] = (Role.SUPPORT_AGENT,)) -> str:
    """Make a member of staff and sign them in; return the token."""
    await add_staff(service.ports, service.passwords, email=email, name="Alex", password=PASSWORD, roles=roles)
    payload = await sign_in(service, email)
    assert payload["errors"] == []
    assert payload["account"] is None
    token: str = payload["token"]
    return token


def outside(service: Service) -> Service:
    """Return the service as it is where no sandbox is."""
    return Service(replace(service.ports, sandbox=False), service.passwords)


@pytest.mark.rule("39")
async def test_staff_sign_in_like_customers_and_are_no_account(service: Service) -> None:
    token = await member(service, roles=(Role.MARKETING, Role.BILLING_AGENT))

    assert await service.ask(ME, token=token) == {"me": None}
    assert await service.ask(STAFF, token=token) == {"staff": {"name": "Alex", "roles": ["BILLING_AGENT", "MARKETING"]}}


@pytest.mark.rule("39")
async def test_the_staffs_door_is_closed_to_everybody_else(service: Service) -> None:
    token = await customer(service)

    assert [await service.ask(STAFF, token=by) for by in (token, None, "nobody")] == [{"staff": None}] * 3


@pytest.mark.rule("7")
async def test_a_wrong_password_of_staff_is_answered_like_an_unknown_address(service: Service) -> None:
    await member(service)

    answers = [await sign_in(service, email, "Wrong horse 7") for email in (AGENT, "unknown@example.org")]

    assert answers[0] == answers[1]
    assert codes(answers[0]) == ["INVALID_CREDENTIALS"]


@pytest.mark.rule("10")
async def test_outside_the_sandbox_staff_without_a_second_factor_may_only_enrol(service: Service) -> None:
    real = outside(service)
    token = await member(real)
    documents = (STAFF, ME, "{ signUpRequirements { passcodeLength } }", '{ node(id: "x") { id } }',
                 'mutation { disableMfa(password: "p", code: "c") { errors { code } } }',
                 'mutation { verifyEmail(token: "x") { errors { code } } }')  # fmt: skip

    refused = [(await real.run(document, token=token)).errors for document in documents]

    assert [errors and errors[0].extensions["code"] for errors in refused] == ["FORBIDDEN"] * len(documents)
    assert refused[0]
    assert refused[0][0].message == "Please set up two-step sign-in first."


@pytest.mark.rule("10")
async def test_once_they_have_enrolled_their_roles_open_and_signing_in_asks_for_a_code(service: Service) -> None:
    real = outside(service)
    token = await member(real)

    phone = await enrol(real, token)
    opened = await real.ask(STAFF, token=token)
    payload = await answer(real, await challenge_of(real, AGENT), phone.code())

    assert opened["staff"]["roles"] == ["SUPPORT_AGENT"]
    assert payload["account"] is None
    assert (await real.ask(STAFF, token=payload["token"]))["staff"]["name"] == "Alex"


@pytest.mark.rule("10")
async def test_enrolling_answers_staff_without_an_account(service: Service) -> None:
    token = await member(service)
    phone = await begin_enrolment(service, token)

    confirmed = (await service.ask(CONFIRM, {"c": phone.code()}, token=token))["confirmMfa"]
    phone.clock.next_step()
    disabled = (await service.ask(DISABLE, {"p": PASSWORD, "c": phone.code()}, token=token))["disableMfa"]

    assert confirmed == disabled == {"account": None, "errors": []}
    assert [mail.subject for mail in await service.mails(AGENT)] == [
        "Your second factor was removed",
        "A second factor was added",
    ]


@pytest.mark.rule("10")
async def test_staff_who_may_only_enrol_may_sign_out_and_a_key_may_not_enrol(service: Service) -> None:
    real = outside(service)
    token = await member(real)

    assert (await real.ask(SIGN_OUT, token=token))["signOut"]["accepted"] is True
    result = await real.run(ENABLE, {"p": PASSWORD}, token=token)

    assert result.errors
    assert result.errors[0].extensions == {"code": "UNAUTHENTICATED"}


@pytest.mark.rule("10")
async def test_staff_are_signed_out_after_half_an_hour_unused_and_after_twelve_hours(service: Service) -> None:
    token = await member(service)
    left = (await sign_in(service, AGENT))["token"]

    for _ in range(27):
        await service.advance(timedelta(minutes=26))
        assert (await service.ask(STAFF, token=token))["staff"]
    await service.advance(timedelta(minutes=17))

    assert [(await service.ask(STAFF, token=by))["staff"] is None for by in (left, token)] == [True, False]
    await service.advance(timedelta(minutes=2))
    assert (await service.ask(STAFF, token=token))["staff"] is None


@pytest.mark.rule("10")
async def test_a_members_sockets_end_with_the_sign_in_and_when_they_are_disabled(service: Service) -> None:
    first, second = await member(service), (await sign_in(service, AGENT))["token"]
    app = door(service)

    async with open_socket(app, token=first) as one, open_socket(app, token=second) as two:
        await one.next()
        await two.next()
        await service.ask(SIGN_OUT, token=first)
        assert await one.closing_code() == 4403
        assert not two.closed.done()

        await execute("update staff_members set disabled_at = $1", service.ports.now())
        await OpenSockets(service.ports).look()
        assert await two.closing_code() == 4403
    assert codes(await sign_in(service, AGENT)) == ["INVALID_CREDENTIALS"]


@pytest.mark.rule("39")
async def test_a_customers_address_cannot_become_staffs(service: Service) -> None:
    await customer(service)

    with pytest.raises(Refused) as refused:
        await member(service, EMAIL)

    assert [fault.key for fault in refused.value.faults] == ["staff.email_taken"]
    assert await fetch("select * from staff_members") == []


@pytest.mark.rule("7")
async def test_signing_up_with_an_address_of_staff_is_answered_like_any_other(service: Service) -> None:
    await member(service)

    await sign_up(service, AGENT)

    (mail,) = await service.mails(AGENT)
    assert mail.subject == "You already have an account"
    assert [row["passcode_hash"] for row in await fetch("select * from pending_sign_ups")] == [""]


@pytest.mark.rule("39")
async def test_a_sign_up_that_waited_when_its_address_became_staffs_opens_no_account(service: Service) -> None:
    await sign_up(service, AGENT)
    (link,) = await service.links(AGENT)
    await member(service)

    assert await verify(service, link) == ["TOKEN_INVALID"]
    assert await fetch("select * from accounts") == []


@pytest.mark.rule("2")
@pytest.mark.parametrize(
    "change, code",
    [
        ({"password": "short"}, ErrorCode.WEAK_PASSWORD),
        ({"email": "no address"}, ErrorCode.INVALID),
        ({"roles": []}, ErrorCode.INVALID),
        ({"roles": [Role.CUSTOMER]}, ErrorCode.INVALID),
        ({"roles": [Role.ADMIN, Role.PHONE_SWITCH]}, ErrorCode.INVALID),
    ],
)
async def test_staff_accounts_hold_to_the_rules_of_passwords_addresses_and_roles(
    service: Service, change: dict[str, object], code: ErrorCode
) -> None:
    given: dict[str, object] = {"email": AGENT, "name": "Alex", "password": PASSWORD, "roles": [Role.ADMIN], **change}

    with pytest.raises(Refused) as refused:
        await add_staff(service.ports, service.passwords, **given)  # type: ignore[arg-type]

    assert code in {fault.code for fault in refused.value.faults}
    assert await fetch("select * from staff_members") == []


@pytest.mark.rule("39")
async def test_the_sandbox_has_demo_staff(service: Service) -> None:
    await demo.fill_empty_database(service.ports, service.passwords)
    found = {}
    for email, _, _ in demo.STAFF:
        token = (await sign_in(service, email, demo.PASSWORD))["token"]
        found[email] = (await service.ask(STAFF, token=token))["staff"]["roles"]

    assert found == {
        "agent@example.com": ["SUPPORT_AGENT", "BILLING_AGENT"],
        "marketing@example.com": ["MARKETING"],
        "admin@example.com": ["ADMIN"],
    }


@pytest.mark.rule("39")
def test_the_command_makes_staff_with_the_password_from_its_input(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "app.sqlite3")

    def add(email: str, password: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "api", "staff", "add", email, "--role", "ADMIN", "--role", "COMPLIANCE"]
        settings = {"SANDBOX": "on", "DATABASE_URL": f"sqlite://{tmp_path}/app.sqlite3", "PATH": os.environ["PATH"]}
        return subprocess.run(
            command, input=password + "\n", capture_output=True, text=True, cwd=ROOT, env=settings, timeout=60
        )

    added, weak, again = add(AGENT, PASSWORD), add("other@example.org", "weak"), add(AGENT, PASSWORD)

    assert (added.returncode, weak.returncode, again.returncode) == (0, 1, 1), added.stderr
    assert "at least 8 characters" in weak.stderr
    assert PASSWORD not in added.stdout + added.stderr + again.stderr
    with sqlite3.connect(tmp_path / "app.sqlite3") as connection:
        rows = connection.execute("select email, name, roles, password_hash from staff_members").fetchall()
    assert [(email, name, roles) for email, name, roles, _ in rows] == [(AGENT, "agent", '["ADMIN", "COMPLIANCE"]')]
    assert rows[0][3].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
