"""The second factor: a TOTP secret that an app shares, and codes on paper that stand in for it, once each."""

from __future__ import annotations

import base64
import os
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, transactional
from api.adapters.ports import Ports
from api.adapters.seals import seal, unseal
from api.auth.limits import guess, guessed_right
from api.auth.passwords import Passwords
from api.auth.sign_ins import Viewer
from api.domain.accounts import Channel
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.guesses import Guess
from api.domain.sign_ins import sign_in_data
from api.domain.totp import SECRET_BYTES, matching_step, provisioning_uri
from api.services.notices import note_and_notify, queue_notice
from api.services.owners import Owner, lock_owner, owner_of_id
from api.services.proofs import Proof, lock_proven, prove_password

_PURPOSE = "totp"
_CODE_PURPOSE = "recovery-code"
# 50 random bits in ten letters and digits: with a few tries per challenge nobody guesses one.
_CODE_BYTES = 7
_CODE_LENGTH = 10
_CODE_LENGTH_MAX = 40
_WRONG = Fault(ErrorCode.INVALID_CREDENTIALS, "second_factors.code_wrong", ("code",))


class Setup(NamedTuple):
    """What is shown once: the address for the app, and the recovery codes."""

    provisioning_uri: str
    recovery_codes: list[str]


async def enable(ports: Ports, passwords: Passwords, viewer: Viewer, password: str, client_address: str) -> Setup:
    """Make a new secret and new recovery codes; nothing is asked for at signing in until `confirm`.

    A repeat before that replaces them. Raises Refused: INVALID_STATE when a factor is on, else as prove_password does.
    """
    proof = await prove_password(ports, passwords, viewer, password, client_address=client_address)
    secret = os.urandom(SECRET_BYTES)
    codes = [_new_code() for _ in range(sign_in_data().recovery_codes)]
    await _keep(ports, proof, secret, codes)
    uri = provisioning_uri(secret, account=proof.owner.email, issuer=ports.operator_name)
    return Setup(uri, [f"{code[:5]}-{code[5:]}" for code in codes])


async def confirm(ports: Ports, viewer: Viewer, code: str, client_address: str) -> None:
    """Turn the factor on, once a code shows that the app has the secret.

    Raises Refused: INVALID_STATE without a setup under way; INVALID_CREDENTIALS at ["code"]; RATE_LIMITED or LOCKED.
    """
    owner = await _counted(ports, viewer, client_address)
    await _confirm(ports, viewer, owner, code, client_address)


async def disable(
    ports: Ports, passwords: Passwords, viewer: Viewer, password: str, code: str, client_address: str
) -> None:
    """Turn the factor off and forget it. Takes the password and a code of either kind.

    Raises Refused: INVALID_STATE when no factor is on; INVALID_CREDENTIALS at ["password"] or ["code"]; else as
    prove_password does.
    """
    proof = await prove_password(ports, passwords, viewer, password, client_address=client_address)
    await guess(ports, proof.owner.email_key, client_address, Guess.TOTP)
    await _disable(ports, proof, code, client_address)


async def use_code(ports: Ports, owner_id: UUID, code: str) -> bool:
    """Use up a code within the transaction under way; tell whether it was right and not used before.

    A TOTP code is of a later time step than the last one used; a recovery code works once.
    """
    factor = await _factor(owner_id, " for update")
    if factor is None or len(code) > _CODE_LENGTH_MAX:
        return False
    secret = unseal(ports.secrets, _PURPOSE, factor["sealed_secret"], owner=str(owner_id))
    step = matching_step(secret.plain, code, ports.machine_seconds(), after=int(factor["last_step"]))
    if step is None:
        return await _use_recovery_code(ports, owner_id, code)
    await execute("update second_factors set last_step = $1 where owner = $2", step, owner_id)
    if secret.is_old:
        # So that the old key may be dropped once everybody has signed in.
        sealed = seal(ports.secrets, _PURPOSE, secret.plain, owner=str(owner_id))
        await execute("update second_factors set sealed_secret = $1 where owner = $2", sealed, owner_id)
    return True


async def _counted(ports: Ports, viewer: Viewer, client_address: str) -> Owner:
    owner = await owner_of_id(viewer.owner_id)
    if owner is None:
        raise Refused(_WRONG)
    await guess(ports, owner.email_key, client_address, Guess.TOTP)
    return owner


@transactional
async def _keep(ports: Ports, proof: Proof, secret: bytes, codes: list[str]) -> None:
    await lock_proven(proof)
    owner = proof.owner
    if await _factor(owner.id) is not None:
        raise Refused(_invalid_state("ENABLED", "disableMfa"))
    await _forget(owner.id)
    await execute(
        "insert into second_factors (id, owner, sealed_secret, confirmed_at, last_step, created_at)"
        " values ($1, $2, $3, null, 0, $4)",
        uuid7(), owner.id, seal(ports.secrets, _PURPOSE, secret, owner=str(owner.id)), ports.now(),
    )  # fmt: skip
    for code in codes:
        await execute(
            "insert into recovery_codes (id, owner, code_hash, used_at) values ($1, $2, $3, null)",
            uuid7(), owner.id, ports.secrets.digest(_CODE_PURPOSE, str(owner.id), code).hex(),
        )  # fmt: skip


@transactional
async def _confirm(ports: Ports, viewer: Viewer, owner: Owner, code: str, client_address: str) -> None:
    row = await lock_owner(owner)
    if row is None:
        raise Refused(_WRONG)
    factor = await fetch_one("select * from second_factors where owner = $1 for update", owner.id)
    if factor is None:
        raise Refused(_invalid_state("DISABLED", "enableMfa"))
    if factor["confirmed_at"] is not None:
        raise Refused(_invalid_state("ENABLED", "disableMfa"))
    secret = unseal(ports.secrets, _PURPOSE, factor["sealed_secret"], owner=str(owner.id)).plain
    step = matching_step(secret, code, ports.machine_seconds())
    if step is None:
        raise Refused(_WRONG)
    await guessed_right(ports, owner.email_key, client_address, Guess.TOTP)
    await execute(
        "update second_factors set confirmed_at = $1, last_step = $2 where owner = $3", ports.now(), step, owner.id
    )
    await _tell(ports, owner, row, "second_factor_added", viewer.channel)


@transactional
async def _disable(ports: Ports, proof: Proof, code: str, client_address: str) -> None:
    row, owner = await lock_proven(proof), proof.owner
    if await _factor(owner.id) is None:
        raise Refused(_invalid_state("DISABLED", "enableMfa"))
    if not await use_code(ports, owner.id, code):
        raise Refused(_WRONG)
    await guessed_right(ports, owner.email_key, client_address, Guess.TOTP)
    await _forget(owner.id)
    await _tell(ports, owner, row, "second_factor_removed", proof.channel)


async def _tell(ports: Ports, owner: Owner, row: Row, name: str, channel: Channel) -> None:
    """Mail the owner, staff too: whoever has a new member's password could set up a factor before the member does."""
    if owner.is_staff:
        await queue_notice(ports, row, name, uuid7())
    else:
        await note_and_notify(ports, row, name, channel=channel)


async def _factor(owner_id: UUID, lock: str = "") -> Row | None:
    return await fetch_one(
        f"select * from second_factors where owner = $1 and confirmed_at is not null{lock}", owner_id
    )


async def _forget(owner_id: UUID) -> None:
    await execute("delete from recovery_codes where owner = $1", owner_id)
    await execute("delete from second_factors where owner = $1", owner_id)


async def _use_recovery_code(ports: Ports, owner_id: UUID, code: str) -> bool:
    typed = "".join(character for character in code.upper() if character.isalnum())
    for digest in ports.secrets.digests(_CODE_PURPOSE, str(owner_id), typed):
        used = await execute(
            "update recovery_codes set used_at = $1 where owner = $2 and code_hash = $3 and used_at is null",
            ports.now(), owner_id, digest.hex(),
        )  # fmt: skip
        if used:
            return True
    return False


def _new_code() -> str:
    return base64.b32encode(os.urandom(_CODE_BYTES)).decode()[:_CODE_LENGTH]


def _invalid_state(current: str, *allowed: str) -> Fault:
    facts = {"current_state": current, "allowed_actions": allowed}
    return Fault(ErrorCode.INVALID_STATE, f"second_factors.is_{current.lower()}", facts=facts)
