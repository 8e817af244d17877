"""The report on unsubscribing, for marketing: how many, why and where, and never who (rule 30)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from api.adapters.database import Row, fetch, read_json, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import Role
from api.domain.cancellation_data import cancellation_data, label_key
from api.domain.cancellation_reports import MERGED, Group, ReportRow, report_rows
from api.domain.cancellations import CancellationOutcome
from api.domain.csv_text import Plain, csv_line
from api.domain.days import start_of
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.texts import render
from api.services.file_links import read_staff_file_link, staff_file_url

NAME = "cancellations.csv"
_DAY = timedelta(days=1)
_COLUMNS = ("reason_code", "reason", "facility", "started", "cancelled", "stayed", "abandoned")


@dataclass(frozen=True, slots=True)
class CancellationReport:
    """Flows of a period: those that began in it, and those that ended in it, by how. `facilities` are rows by id, of
    those that the report's rows name."""

    started: int
    cancelled: int
    stayed: int
    abandoned: int
    rows: list[ReportRow]
    facilities: Mapping[UUID, Row]


async def cancellation_report(ports: Ports, since: date, until: date) -> CancellationReport:
    """Return the report on the Central days from `since` to `until`, both included; four statements.

    Outside the sandbox small counts are merged, see domain/cancellation_reports. Raises Refused with INVALID for a
    period that ends before it begins or is too long.
    """
    begins, ends = _instants(since, until)
    data, now = cancellation_data(), ports.now()
    counts: dict[CancellationOutcome, Counter[Group]] = {outcome: Counter() for outcome in CancellationOutcome}
    for row in await fetch(
        "select t.reason, p.facility_id, t.outcome, count(*) as n from cancellations t"
        " join plan_subscriptions s on s.id = t.subscription_id join plans p on p.id = s.plan_id"
        " where t.ended_at >= $1 and t.ended_at < $2 group by t.reason, p.facility_id, t.outcome",
        begins, ends,
    ):  # fmt: skip
        group = Group(row["reason"], read_uuid(row["facility_id"]))
        counts[CancellationOutcome(row["outcome"])][group] += int(row["n"])
    cancelled, stayed = counts[CancellationOutcome.CANCELLED], counts[CancellationOutcome.STAYED]
    cell_min = 1 if ports.sandbox else data.cell_min
    rows = report_rows(cancelled, stayed, cell_min=cell_min, rows_max=data.rows_max)
    # What was left alone is abandoned at once, though that is written later.
    left_from, left_until = (min(at, now + timedelta.resolution) - data.abandoned_after for at in (begins, ends))
    return CancellationReport(
        started=await _count("begun_at >= $1 and begun_at < $2", begins, ends),
        cancelled=cancelled.total(),
        stayed=stayed.total(),
        abandoned=counts[CancellationOutcome.ABANDONED].total()
        + await _count("outcome is null and changed_at >= $1 and changed_at < $2", left_from, left_until),
        rows=rows,
        facilities=await _facilities(rows),
    )


async def _count(where: str, *values: datetime) -> int:
    return int((await fetch(f"select count(*) as n from cancellations where {where}", *values))[0]["n"])


async def _facilities(rows: list[ReportRow]) -> Mapping[UUID, Row]:
    keys = {row.group.facility_id for row in rows if row.group.facility_id}
    places = ", ".join(f"${n + 1}" for n in range(len(keys)))
    found = await fetch(f"select * from facilities where id in ({places})", *keys) if keys else []
    return {read_uuid(row["id"]): row for row in found}


def _instants(since: date, until: date) -> tuple[datetime, datetime]:
    days_max = cancellation_data().days_max
    # The first and the last day that there are have no day beside them.
    if 0 <= (until - since).days < days_max and date.min + _DAY < since and until < date.max - _DAY:
        return start_of(since), start_of(until + _DAY)
    raise Refused(Fault(ErrorCode.INVALID, "cancellations.period", ("to",), {"maximum": days_max}))


def cancellations_url(ports: Ports, staff_id: UUID, since: date, until: date) -> str:
    """Return a link to the report as CSV, for whoever has it, for a quarter of an hour."""
    return staff_file_url(ports, NAME, staff_id, {"first": since.isoformat(), "last": until.isoformat()})


async def open_report(ports: Ports, token: str) -> str | None:
    """Return the CSV that a link asks for, as things are now and in the language of whose it is; None when the link is
    not, or no longer, good, or its member of staff reads such reports no more."""
    asked = await read_staff_file_link(ports, NAME, token)
    if asked is None or Role.MARKETING.value not in read_json(asked.member["roles"]):
        return None
    since, until = (date.fromisoformat(asked.facts[name]) for name in ("first", "last"))
    report, locale = await cancellation_report(ports, since, until), asked.member["locale"]
    lines = [[render(locale, f"cancellations.report_{column}") for column in _COLUMNS]]
    lines += [_cells(row, report, locale) for row in report.rows]
    sums = (report.started, report.cancelled, report.stayed, report.abandoned)
    lines.append(["", render(locale, "cancellations.report_total"), "", *(Plain(n) for n in sums)])
    return "".join(map(csv_line, lines))


def _cells(row: ReportRow, report: CancellationReport, locale: str) -> list[str]:
    reason, facility_id = row.group
    several = render(locale, "cancellations.report_several")
    if reason:
        label = render(locale, label_key(reason))
    else:
        label = several if row.group == MERGED else render(locale, "cancellations.report_no_reason")
    facility = report.facilities[facility_id]["name"] if facility_id else several
    return [reason or "", label, facility, "", Plain(row.cancelled), Plain(row.stayed), ""]
