"""What protects an account: password, passcode and security questions, each changed by giving the password."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, transactional
from api.adapters.ports import Ports
from api.auth.passwords import Passwords
from api.auth.passwords_common import is_common
from api.auth.sign_ins import Viewer
from api.domain.faults import refuse_if
from api.domain.passwords import password_faults
from api.domain.security_questions import SecurityAnswer, security_answer_faults
from api.domain.sign_ups import passcode_faults
from api.services.email_changes import end_email_change
from api.services.notices import note_and_notify
from api.services.proofs import Proof, lock_proven, prove_password
from api.services.reset_ends import end_resets
from api.services.sign_ins import end_other_sign_ins


class GoesOn(NamedTuple):
    """The sign-in that asked and goes on, and its account, as they are now."""

    sign_in: Row
    account: Row


async def reauthenticate(
    ports: Ports, passwords: Passwords, viewer: Viewer, password: str, *, client_address: str
) -> GoesOn:
    """Prove the password again, which what is grave asks for within the next five minutes; may be repeated.

    Raises Refused as `prove_password` does.
    """
    proof = await prove_password(ports, passwords, viewer, password, client_address=client_address)
    return await _prove(ports, proof)


async def change_password(
    ports: Ports, passwords: Passwords, viewer: Viewer, current: str, new: str, *, client_address: str
) -> GoesOn:
    """Give the account another password; the present sign-in goes on, all others and their sockets end.

    A change of the e-mail address that waits for its link ends too: whoever did not ask for it takes it back by this.
    Raises Refused: all that is wrong with the new password (rule 2), before the current one is looked at; then as
    `prove_password` does.
    """
    assert viewer.account is not None
    faults = password_faults(new, email=viewer.account["email"], is_common=is_common)
    refuse_if(fault.under("newPassword") for fault in faults)
    proof = await prove_password(
        ports, passwords, viewer, current, client_address=client_address, path="currentPassword"
    )
    return await _set_password(ports, proof, await passwords.hash_password(new))


async def change_passcode(
    ports: Ports, passwords: Passwords, viewer: Viewer, password: str, new_passcode: str, *, client_address: str
) -> Row:
    """Give the account another passcode; return its row. Raises Refused as `change_password` does."""
    refuse_if(fault.under("newPasscode") for fault in passcode_faults(new_passcode))
    proof = await prove_password(ports, passwords, viewer, password, client_address=client_address)
    return await _set_passcode(ports, proof, await passwords.hash_short("passcode", new_passcode))


async def set_security_questions(
    ports: Ports,
    passwords: Passwords,
    viewer: Viewer,
    password: str,
    answers: Sequence[SecurityAnswer],
    *,
    client_address: str,
) -> Row:
    """Replace all three questions and answers at once; return the account's row.

    Raises Refused: all that is wrong with the answers (rule 3), before the password is looked at; then as
    `prove_password` does.
    """
    assert viewer.account is not None
    faults = security_answer_faults(answers, email=viewer.account["email"], password=password)
    refuse_if(fault.under("answers") for fault in faults)
    proof = await prove_password(ports, passwords, viewer, password, client_address=client_address)
    hashes = await asyncio.gather(*(passwords.hash_short("answer", given.answer) for given in answers))
    hashed = [(given.question_code, kept) for given, kept in zip(answers, hashes, strict=True)]
    return await _set_questions(ports, proof, hashed)


@transactional
async def _prove(ports: Ports, proof: Proof) -> GoesOn:
    account = await lock_proven(proof)
    await execute("update sign_ins set proved_at = $1 where id = $2", ports.now(), proof.sign_in_id)
    return await _goes_on(proof, account)


@transactional
async def _set_password(ports: Ports, proof: Proof, password_hash: str) -> GoesOn:
    account, now = await lock_proven(proof), ports.now()
    await execute(
        "update accounts set password_hash = $1, password_changed_at = $2 where id = $3",
        password_hash, now, proof.owner.id,
    )  # fmt: skip
    await execute("update sign_ins set proved_at = $1 where id = $2", now, proof.sign_in_id)
    await end_email_change(proof.owner.id)
    await end_resets(proof.owner.id)
    await note_and_notify(ports, account, "password_changed", channel=proof.channel)
    await end_other_sign_ins(ports, proof.owner.id, proof.sign_in_id, channel=proof.channel)
    return await _goes_on(proof, await _account(proof))


@transactional
async def _set_passcode(ports: Ports, proof: Proof, passcode_hash: str) -> Row:
    account = await lock_proven(proof)
    await execute("update accounts set passcode_hash = $1 where id = $2", passcode_hash, proof.owner.id)
    await note_and_notify(ports, account, "passcode_changed", channel=proof.channel)
    return await _account(proof)


@transactional
async def _set_questions(ports: Ports, proof: Proof, hashed: Sequence[tuple[str, str]]) -> Row:
    account = await lock_proven(proof)
    await execute("delete from security_answers where account_id = $1", proof.owner.id)
    await end_resets(proof.owner.id)
    for code, answer_hash in hashed:
        await execute(
            "insert into security_answers (id, account_id, question_code, answer_hash) values ($1, $2, $3, $4)",
            uuid7(), proof.owner.id, code, answer_hash,
        )  # fmt: skip
    await note_and_notify(ports, account, "security_questions_changed", channel=proof.channel)
    return account


async def _account(proof: Proof) -> Row:
    account = await fetch_one("select * from accounts where id = $1", proof.owner.id)
    assert account is not None
    return account


async def _goes_on(proof: Proof, account: Row) -> GoesOn:
    sign_in = await fetch_one("select * from sign_ins where id = $1", proof.sign_in_id)
    assert sign_in is not None
    return GoesOn(sign_in, account)
