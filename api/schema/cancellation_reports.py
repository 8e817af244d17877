"""The report on unsubscribing."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import strawberry

from api.adapters.ports import Ports
from api.schema.cancellations import CancellationReason
from api.schema.facilities import Facility
from api.services import cancellation_reports
from api.services.cancellation_reports import cancellations_url


@strawberry.type(description="A reason at a facility. Null reason or facility: small counts, merged.")
class CancellationReportRow:
    reason: CancellationReason | None = strawberry.field(
        description="Null where several are merged, and with a facility where none was chosen."
    )
    facility: Facility | None = strawberry.field(description="Null where several are merged.")
    cancelled: int = strawberry.field(description="How many cancelled.")
    stayed: int = strawberry.field(description="How many stayed enrolled.")


@strawberry.type(description="Reasons for unsubscribing: sums alone, of flows that began or ended in the period.")
class CancellationReport:
    started: int = strawberry.field(description="How many pressed Unsubscribe in the period.")
    cancelled: int = strawberry.field(description="How many completed the cancellation in it.")
    stayed: int = strawberry.field(description="How many chose to stay enrolled in it.")
    abandoned: int = strawberry.field(description="How many had left it alone for a day in it.")
    rows: list[CancellationReportRow] = strawberry.field(
        description="By reason and facility, most flows first; their sums are `cancelled` and `stayed`. Outside the "
        "sandbox a count under five is told in a merged row instead of its own, the last of which has neither reason "
        "nor facility; so 0 may stand for a few."
    )
    csv_url: str = strawberry.field(
        description="The same as comma-separated values; a link for a quarter of an hour, for whoever has it."
    )

    @staticmethod
    async def of(ports: Ports, staff_id: UUID, since: date, until: date) -> CancellationReport:
        report = await cancellation_reports.cancellation_report(ports, since, until)
        rows = [
            CancellationReportRow(
                reason=CancellationReason(code=row.group.reason) if row.group.reason else None,
                facility=Facility.of(report.facilities[row.group.facility_id]) if row.group.facility_id else None,
                cancelled=row.cancelled,
                stayed=row.stayed,
            )
            for row in report.rows
        ]
        return CancellationReport(
            started=report.started, cancelled=report.cancelled, stayed=report.stayed, abandoned=report.abandoned,
            rows=rows, csv_url=cancellations_url(ports, staff_id, since, until),
        )  # fmt: skip
