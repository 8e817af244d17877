"""How a reset of a password ends: with a second factor in the way, and when the power fails (rule 6)."""

from __future__ import annotations

import pytest

from api.adapters.database import dialect, execute, fetch
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, ME, PASSWORD, codes, customer, sign_in
from tests.flows.resets import ACCEPTED, ANSWERS, NEW_PASSWORD, RESET, reset, verified
from tests.flows.second_steps import answer, challenge_of, enrol


async def cut_the_power(at: str) -> None:
    """Have the database fail when this act is about to be noted: the last thing that a reset writes but its mail."""
    if dialect() == "sqlite":
        await execute(
            f"create trigger power_cut before insert on activity when new.action = '{at}'"
            " begin select raise(abort, 'power cut'); end"
        )
        return
    await execute(
        "create function power_cut() returns trigger language plpgsql as $f$ begin raise exception 'power cut'; end $f$"
    )
    await execute(
        f"create trigger power_cut before insert on activity for each row when (new.action = '{at}')"
        " execute function power_cut()"
    )


async def restore_the_power() -> None:
    await execute("drop trigger power_cut" + ("" if dialect() == "sqlite" else " on activity"))


@pytest.mark.row("R15", "Q12")
@pytest.mark.rule("6")
@pytest.mark.rule("10")
async def test_a_reset_leaves_the_second_factor_on_and_its_code_is_asked_for(service: Service) -> None:
    phone = await enrol(service, await customer(service))

    done = await reset(service, await verified(service))

    assert done == ACCEPTED
    payload = await answer(service, await challenge_of(service, EMAIL, NEW_PASSWORD), phone.code())
    assert payload["errors"] == []
    assert payload["account"] == {"email": EMAIL}


@pytest.mark.row("Q12")
@pytest.mark.rule("6")
async def test_security_answers_are_no_second_factor(service: Service) -> None:
    await customer(service)
    await reset(service, await verified(service))
    token = (await sign_in(service, password=NEW_PASSWORD))["token"]

    found = await service.ask("{ me { security { mfaEnabled } } }", token=token)

    assert found == {"me": {"security": {"mfaEnabled": False}}}


@pytest.mark.row("R20")
@pytest.mark.rule("6")
async def test_a_failure_between_the_number_and_the_new_password_leaves_all_as_it_was(service: Service) -> None:
    signed_in = await customer(service)
    token = await verified(service)
    given = {"input": {"resetToken": token, "newPassword": NEW_PASSWORD, "securityAnswers": ANSWERS}}
    before = await fetch("select password_hash, password_changed_at from accounts")
    await cut_the_power("password_reset")

    failed = await service.run(RESET, given)

    assert [error.extensions["code"] for error in failed.errors or ()] == ["INTERNAL"]
    assert await fetch("select password_hash, password_changed_at from accounts") == before
    assert (await service.ask(ME, token=signed_in))["me"]["email"] == EMAIL
    assert codes(await sign_in(service, password=NEW_PASSWORD)) == ["INVALID_CREDENTIALS"]
    assert codes(await sign_in(service, password=PASSWORD)) == []

    await restore_the_power()
    assert await reset(service, token) == ACCEPTED
    assert codes(await reset(service, token)) == ["TOKEN_INVALID"]
    assert codes(await sign_in(service, password=NEW_PASSWORD)) == []
