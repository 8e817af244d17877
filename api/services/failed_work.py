"""Due work that was given up: staff see it, and have it tried anew once its cause is mended."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch_one, transactional
from api.adapters.ports import Ports
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.services.due_work import begin_anew
from api.services.pages import Page, PageRequest, newest_first
from api.services.staff_acts import Act, put_on_record


async def failed_page(request: PageRequest) -> Page:
    """Return the work that was given up and waits for a person, newest first."""
    return await newest_first("select * from due_work where failed_at is not null", [], [("id", UUID)], request)


@transactional
async def retry_work(ports: Ports, act: Act, work_id: UUID) -> Row:
    """Have work that was given up tried anew at once, on record; return it as it is now.

    Work that is not given up, or no more, is left as it is, so a repeat is safe while it lasts. Raises Refused:
    NOT_FOUND, also for work that is done.
    """
    refuse_if(act.faults())
    work = await fetch_one("select * from due_work where id = $1 for update", work_id)
    if work is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("workId",)))
    if work["failed_at"] is None:
        return work
    await begin_anew(work_id, ports.now())
    facts = {"kind": work["kind"], "key": work["key"], "error": work["last_error"] or ""}
    await put_on_record(ports, act, "staff_retried_work", account_id=None, subject=work_id, facts=facts)
    tried = await fetch_one("select * from due_work where id = $1", work_id)
    assert tried is not None, "it is locked by this transaction"
    return tried
