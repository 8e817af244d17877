"""What deleting an account or closing VideoConnect does to visits: shown, then void without a refund (rule 25)."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette

from api.adapters.database import fetch
from api.domain.service_accounts import Product
from api.routes.exports import export_route
from api.services.audit import audit
from tests import factories
from tests.flows.closing import agreed, ask_closing, ask_deletion, close, delete, pass_time, preview
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import count
from tests.flows.paying import opened, service_id
from tests.flows.test_chargebacks import sums
from tests.flows.test_payments import HeldUp
from tests.flows.test_video_payments import by_card
from tests.flows.visits import Scene, anew, at, beside, booked, cancel, kept, quoted, record, scene, schedule, with_plan

pytestmark = pytest.mark.rule("25")
RACES = int(os.environ.get("RACES") or 2)
VOIDED = "VIDEO_SESSIONS_VOIDED"


async def planned(service: Service, email: str = "ann@mail.test") -> Scene:
    found = await scene(service, email)
    await with_plan(service, found)
    return found


def listed(shown: dict[str, list[dict[str, str]]]) -> list[str]:
    return [each["id"] for each in shown["sessionsToCancelFirst"]]


async def test_the_preview_lists_visits_to_cancel_first_and_deleting_makes_them_void(service: Service) -> None:
    ann, switch = await planned(service), await factories.switch_key(service)
    later, sooner, gone = [await booked(service, ann, at(service, days=days)) for days in (5, 3, 4)]
    await cancel(service, ann, gone)
    before = await sums()

    shown = await preview(service, ann.holder.token)
    payload = await ask_deletion(service, ann.holder.token, agreed(shown))

    assert listed(shown) == [sooner, later]
    (said,) = [each for each in shown["consequences"] if each["code"] == VOIDED]
    assert "not refunded" in said["text"]
    assert "no se reembolsan" in said["es"]
    assert codes(payload) == []
    assert len(await kept("VOIDED_BY_CLOSURE")) == 2
    assert await sums() == before
    assert codes(await record(service, switch, sooner)) in (["INVALID_STATE"], ["NOT_FOUND"])
    assert await count("due_work where kind like 'video%'") == 0


async def test_without_visits_to_come_nothing_is_listed_or_acknowledged(service: Service) -> None:
    ann = await planned(service)
    await booked(service, ann, at(service, days=1))
    await service.advance(datetime.fromisoformat(at(service, days=1)) - service.ports.now())

    shown = await preview(service, (await anew(ann)).holder.token)

    assert listed(shown) == []
    assert VOIDED not in [each["code"] for each in shown["consequences"]]


@pytest.mark.rule("20")
@pytest.mark.parametrize("what", ["scheduled", "cancelled"])
async def test_a_visit_that_was_scheduled_or_cancelled_since_the_preview_makes_it_stale(
    service: Service, what: str
) -> None:
    ann = await planned(service)
    found = await booked(service, ann, at(service, days=3))
    shown = await preview(service, ann.holder.token)
    if what == "scheduled":
        await booked(service, ann, at(service, days=4))
    else:
        await cancel(service, ann, found)

    payload = await ask_deletion(service, ann.holder.token, agreed(shown))

    assert codes(payload)[0] == "STALE"
    assert payload["errors"][0]["changed"] == ["sessions"]
    assert await kept("VOIDED_BY_CLOSURE") == []


@pytest.mark.rule("27")
async def test_closing_video_connect_alone_voids_its_visits_and_closing_another_service_none(service: Service) -> None:
    ann = await planned(service)
    stamps = service_id(await opened(ann.holder, Product.EMESSAGING))
    await booked(service, ann, at(service))

    await close(service, ann.holder, stamps, "stamps")
    standing = await kept("SCHEDULED")
    shown = await preview(service, ann.holder.token, ann.service_id)
    payload = await ask_closing(service, ann.holder.token, agreed(shown, serviceAccountId=ann.service_id))

    assert (len(standing), len(listed(shown)), codes(payload)) == (1, 1, [])
    assert len(await kept("VOIDED_BY_CLOSURE")) == 1
    refused = await schedule(service, ann, at(service, days=4))
    assert codes(refused)[0] == "INVALID_STATE"


async def test_a_visit_whose_payment_waits_at_the_bank_is_void_and_not_charged(service: Service) -> None:
    ann = await scene(service)
    await by_card(service, ann, at(service), card="tok_3ds")

    shown = await preview(service, ann.holder.token)
    payload = await ask_deletion(service, ann.holder.token, agreed(shown))
    await pass_time(service, timedelta(hours=1))

    assert listed(shown) == []
    assert VOIDED in [each["code"] for each in shown["consequences"]]
    assert codes(payload) == []
    assert await service.processor.captured_cents() == 0
    assert await kept("SCHEDULED") == []
    assert (await audit()).differences == ()


class Deleting(HeldUp):
    """Deletes the account while the request is on its way."""

    def __init__(self, service: Service, scene: Scene) -> None:
        super().__init__(service)
        self._scene = scene

    async def charge(self, **order: object) -> object:
        self._service.ports.processor = self._processor
        await delete(self._service, self._scene.holder)
        return await self._processor.charge(**order)  # type: ignore[arg-type]


async def test_a_charge_that_lands_after_the_deletion_schedules_nothing(service: Service) -> None:
    ann = await scene(service)
    ben = await beside(service, ann)
    service.ports.processor = Deleting(service, ann)

    paid = await by_card(service, ann, at(service))

    assert (paid["payment"]["status"], paid["session"]["status"]) == ("SUCCEEDED", "VOIDED_BY_CLOSURE")
    assert await kept("SCHEDULED") == []
    assert await sums() == {"PROCESSOR_CLEARING": 595, "VIDEO_REVENUE": -595}
    assert (await audit()).differences == ()
    assert codes(await by_card(service, ben, at(service))) == []


async def test_scheduling_and_deleting_at_once_leave_no_visit_of_a_closed_account(service: Service) -> None:
    ann = await planned(service, "race0@mail.test")
    for number in range(RACES):
        one = ann if number == 0 else await beside(service, ann, f"race{number}@mail.test")
        if number:
            await with_plan(service, one)
        shown = agreed(await preview(service, one.holder.token))

        booking, deletion = await asyncio.gather(
            schedule(service, one, at(service)), ask_deletion(service, one.holder.token, shown)
        )

        assert (codes(booking), codes(deletion)[:1]) in (([], ["STALE"]), (["ACCOUNT_CLOSED"], []))
        rows = await fetch(
            "select v.id from video_sessions v join accounts a on a.id = v.account_id"
            " where v.status = 'SCHEDULED' and a.status <> 'ACTIVE'"
        )
        assert rows == []
        if codes(booking) == []:
            await cancel(service, one, booking["session"]["id"])


@pytest.mark.rule("27a")
async def test_visits_are_exported_to_their_holder_and_erased_with_the_account(service: Service) -> None:
    ann = await planned(service)
    await booked(service, ann, at(service))
    await quoted(service, ann)
    url = (await service.ask("{ me { dataExportUrl } }", token=ann.holder.token))["me"]["dataExportUrl"]
    app = Starlette(routes=[export_route(service.ports)])
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://calls.example", trust_env=False)

    exported = json.loads((await client.get(url)).text)
    await delete(service, ann.holder)
    await pass_time(service, timedelta(days=3))

    assert [each["status"] for each in exported["video_sessions"]] == ["SCHEDULED"]
    assert [(each["facility_id"], each["duration_minutes"]) for each in exported["quotes"]][-1] == (
        str(ann.where.key),
        20,
    )
    assert await count("video_sessions") == 0
    assert await count("journal_entries") > 0
