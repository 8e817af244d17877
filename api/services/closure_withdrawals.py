"""Taking the closing of a Direct Bill service back while it is held (rule 24)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tortoise.exceptions import IntegrityError

from api.adapters.database import Raced, Row, execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.sign_ins import Viewer
from api.domain.accounts import AccountStatus
from api.domain.closures import ClosureKind, ClosureStatus, advance
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.ledger import UpdateCause
from api.domain.service_accounts import Product, ServiceStatus
from api.services import closure_mails, due_work
from api.services.closure_holds import HOLD_WORK
from api.services.closure_states import tell_closure
from api.services.closures import Closing
from api.services.ledger import lock_balance, save
from api.services.phones import insert_phone
from api.services.receipts import receipt_token

_PATH = ("closureId",)


@transactional
async def withdraw_closure(ports: Ports, viewer: Viewer, closure_id: UUID) -> Closing:
    """Take a closing back: its service is open again, with those of its numbers that are still free.

    A repeat changes nothing. Raises Refused: NOT_FOUND for what is not the viewer's; INVALID_STATE unless it closes
    the one service, of Direct Bill, and holds it; and where Direct Bill was opened anew meanwhile.
    """
    account_id = viewer.account_id
    service = await fetch_one(
        "select a.* from service_accounts a join closed_services s on s.service_account_id = a.id"
        " join closures c on c.id = s.closure_id where c.id = $1 and c.account_id = $2 and c.kind = $3 limit 1",
        closure_id, account_id, ClosureKind.CLOSE_SERVICE.value,
    )  # fmt: skip
    balance = await lock_balance(read_uuid(service["id"])) if service else None
    account = await fetch_one("select * from accounts where id = $1 for update", account_id)
    closure = await fetch_one(
        "select * from closures where id = $1 and account_id = $2 for update", closure_id, account_id
    )
    if account is None or closure is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", _PATH))
    status = ClosureStatus(closure["status"])
    if status is ClosureStatus.WITHDRAWN:
        return Closing(closure, receipt_token(ports, closure_id), True)
    if account["status"] != AccountStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", _PATH))
    if service is None or balance is None or status is not ClosureStatus.DIRECT_BILL_HOLD:
        raise _refused(status, "closures.not_withdrawable")
    open_key = f"{account_id}:{Product.DIRECT_BILL.value}"
    if await fetch_one("select id from service_accounts where open_key = $1", open_key):
        raise _refused(status, "closures.opened_anew")
    await execute(
        "update service_accounts set status = $1, open_key = $2, closed_at = null where id = $3",
        ServiceStatus.ACTIVE.value, open_key, balance.service_account_id,
    )  # fmt: skip
    lost = await _bring_back_phones(ports, closure, balance.service_account_id)
    await save(balance, ports.now(), UpdateCause.SNAPSHOT)
    await _end(ports, account, closure, lost)
    return Closing(await _row(closure_id), receipt_token(ports, closure_id), False)


def _refused(status: ClosureStatus, key: str) -> Refused:
    facts = {"current_state": status.value, "allowed_actions": ()}
    return Refused(Fault(ErrorCode.INVALID_STATE, key, _PATH, facts=facts))


async def _bring_back_phones(ports: Ports, closure: Row, service_id: UUID) -> Sequence[str]:
    """Put the numbers on the service again that the closing took off it; return those that are elsewhere by now.

    They are added anew: a call that began in between was not to be made, and is nobody's.
    """
    rows = await fetch(
        "select * from account_phones where service_account_id = $1 and removed_at = $2 order by id limit 100",
        service_id, read_time(closure["requested_at"]),
    )  # fmt: skip
    lost = []
    for row in rows:
        if await fetch_one("select id from account_phones where live_phone = $1", row["phone"]):
            lost.append(row["phone"])
            continue
        try:
            await insert_phone(service_id, row["phone"], row["label"], ports.now())
        except IntegrityError as error:
            raise Raced from error  # Somebody else has just put it on theirs.
        await execute(
            "update account_phones set blocked = $1, blocked_at = $2 where live_phone = $3",
            bool(row["blocked"]), ports.now() if row["blocked"] else None, row["phone"],
        )  # fmt: skip
    return lost


async def _end(ports: Ports, account: Row, closure: Row, lost: Sequence[str]) -> None:
    """End the closing, tell of it, and forget the address that served it."""
    closure_id = read_uuid(closure["id"])
    advance(ClosureStatus(closure["status"]), ClosureStatus.WITHDRAWN)
    await execute(
        "update closures set status = $1, revision = revision + 1, open_for = null, completed_at = $2 where id = $3",
        ClosureStatus.WITHDRAWN.value, ports.now(), closure_id,
    )  # fmt: skip
    await due_work.drop(HOLD_WORK, str(closure_id))
    await tell_closure(await _row(closure_id))
    await closure_mails.tell_withdrawal(ports, account, closure, lost)
    await execute("update closures set contact_email = null, address = null where id = $1", closure_id)


async def _row(closure_id: UUID) -> Row:
    row = await fetch_one("select * from closures where id = $1", closure_id)
    assert row is not None, "closings are never deleted"
    return row
