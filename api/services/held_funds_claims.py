"""Claiming held funds: by sign-in, by receipt with the passcode, or by staff; once (rules 26 and 27a)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.limits import guess, guessed_right
from api.auth.passwords import Passwords
from api.domain.accounts import Channel
from api.domain.addresses import Address, address_faults, normalise_address
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.guesses import Guess
from api.domain.ledger import Leg
from api.domain.refunds import RefundStatus
from api.domain.sign_ups import passcode_faults
from api.services.activity import HOLDER, note
from api.services.held_funds import ledger_key, lock_held
from api.services.idempotency import claim_key
from api.services.receipts import closure_of_receipt
from api.services.refund_destinations import BY_CHECK
from api.services.refund_states import Step
from api.services.refunds import asked_again, create, post_legs, refund_row, transit_of

_NOT_FOUND = Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "heldFundsId"))
_WRONG = Fault(ErrorCode.INVALID_CREDENTIALS, "refunds.passcode_wrong", ("input", "passcode"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who claims, and what they may claim: of an account, of a closing, or (staff: both None) anybody's.

    `scope` is whose idempotency keys they use; `email_key` and `client_address` are set where the passcode was asked.
    """

    scope: UUID
    account_id: UUID | None = None
    closure_id: UUID | None = None
    actor: str = HOLDER
    channel: Channel = Channel.WEB
    email_key: str | None = None
    client_address: str = ""


class Claimed(NamedTuple):
    """The refund that pays held funds out, and whether it was there before."""

    refund: Row
    replayed: bool


async def claimant_of_receipt(
    ports: Ports, passwords: Passwords, token: str, held_id: UUID, passcode: str | None, *, client_address: str
) -> Claimant:
    """Return who claims by a receipt, once the passcode fits; it counts as a guess of the account's.

    Raises Refused: TOKEN_INVALID, NOT_FOUND, REQUIRED, INVALID_CREDENTIALS, RATE_LIMITED or LOCKED.
    """
    closure = await closure_of_receipt(ports, token)
    if closure is None:
        raise Refused(Fault(ErrorCode.TOKEN_INVALID, "errors.token_invalid", ("input", "receiptToken")))
    claimant = Claimant(scope=read_uuid(closure["id"]), closure_id=read_uuid(closure["id"]))
    await _find(claimant, held_id)
    if not passcode:
        raise Refused(Fault(ErrorCode.REQUIRED, "errors.required", ("input", "passcode")))
    account = await fetch_one("select * from accounts where id = $1", read_uuid(closure["account_id"]))
    assert account is not None, "accounts are never deleted"
    # Of a holder who is erased no passcode is kept; nothing is held for them any more.
    if passcode_faults(passcode) or not account["passcode_hash"]:
        raise Refused(_WRONG)
    await guess(ports, account["email_key"], client_address, Guess.PASSCODE)
    if not await passwords.check_short("passcode", passcode, account["passcode_hash"]):
        raise Refused(_WRONG)
    return Claimant(
        scope=claimant.scope, closure_id=claimant.closure_id, email_key=account["email_key"],
        client_address=client_address,
    )  # fmt: skip


async def claim_held_funds(
    ports: Ports, claimant: Claimant, held_id: UUID, address: Address, idempotency_key: str
) -> Claimed:
    """Pay held funds out by a check to an address, once; a repeat with the same key gives the same refund.

    Raises Refused: what is wrong with the address; NOT_FOUND for what is not the claimant's; INVALID_STATE for what
    was claimed or disposed of; as `claim_key` does.
    """
    refuse_if(fault.under("input", "address") for fault in address_faults(address))
    return await _claim(ports, claimant, held_id, normalise_address(address), idempotency_key)


@transactional
async def _claim(ports: Ports, claimant: Claimant, held_id: UUID, address: Address, idempotency_key: str) -> Claimed:
    await _find(claimant, held_id)
    if claimant.email_key is not None:
        await guessed_right(ports, claimant.email_key, claimant.client_address, Guess.PASSCODE)
    # The lock comes first: of two claims by two keys the second finds the funds claimed.
    held = await lock_held(held_id)
    assert held is not None, "held funds are never deleted"
    facts = {"held_funds": str(held_id), "address": asdict(address)}
    claimed = await claim_key(claimant.scope, idempotency_key, "claimHeldFunds", facts, uuid7(), ports.now())
    if not claimed.is_new:
        row = await fetch_one("select claim_refund_id from held_funds where id = $1", held_id)
        assert row is not None, "held funds are never deleted"
        return Claimed(await refund_row(read_uuid(row["claim_refund_id"])), True)
    if held["state"] != "HELD":
        facts = {"current_state": held["state"], "allowed_actions": ()}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "refunds.not_claimable", ("input", "heldFundsId"), facts=facts))
    source = await refund_row(read_uuid(held["refund_id"]))
    asked = asked_again(source, ports.now(), address=asdict(address))
    step = Step(RefundStatus.CALCULATED, "claimed", {"cents": str(held["amount"])})
    refund = await create(ports, asked, f"held:{held_id}", BY_CHECK, step, amount=held["amount"])
    refund_id = read_uuid(refund["id"])
    leg = Leg(ledger_key(held_id), transit_of(refund_id), held["amount"])
    await post_legs(ports, f"held:{held_id}:claimed", [leg])
    await execute(
        "update held_funds set state = 'CLAIMED', claim_refund_id = $1, ended_at = $2 where id = $3",
        refund_id, ports.now(), held_id,
    )  # fmt: skip
    await note(
        ports, read_uuid(held["account_id"]), "held_funds_claimed", channel=claimant.channel, actor=claimant.actor
    )
    return Claimed(refund, False)


async def _find(claimant: Claimant, held_id: UUID) -> None:
    row = await fetch_one("select account_id, closure_id from held_funds where id = $1", held_id)
    if row is None:
        raise Refused(_NOT_FOUND)
    for wanted, found in ((claimant.account_id, row["account_id"]), (claimant.closure_id, row["closure_id"])):
        if wanted is not None and (found is None or read_uuid(found) != wanted):
            raise Refused(_NOT_FOUND)
