"""The export of all that is kept about a holder: each table that leads to one is in it, or left out for a reason."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tortoise.models import Model

from api.models import MODULES
from api.routes.exports import export_route
from api.services.export_sections import LEFT_OUT, SECTIONS
from tests import factories
from tests.factories import Holder
from tests.flows.closing import DAY, close, pass_time
from tests.flows.conftest import Service
from tests.flows.money import record
from tests.flows.money_back import paid
from tests.flows.test_chargebacks import dispute
from tests.flows.top_ups import Scene

LEADS_TO_A_HOLDER = {
    "account_id", "owner", "scope", "email", "recipient", "phone", "service_account_id", "balance_id", "payment_id",
    "closure_id", "refund_id", "text_pay_id", "payment_method_id", "method_id", "subscription_id", "entry_id",
}  # fmt: skip
URL = "{ me { dataExportUrl } }"


def tables() -> dict[str, set[str]]:
    """Return the columns of each table."""
    found = {}
    for module in map(importlib.import_module, MODULES):
        for _, model in inspect.getmembers(module, inspect.isclass):
            if issubclass(model, Model) and model.__module__ == module.__name__ and model._meta.db_table:
                columns = {field.source_field or name for name, field in model._meta.fields_map.items()}
                found[model._meta.db_table] = columns | {f"{name}_id" for name in model._meta.fk_fields}
    return found


def test_each_table_that_leads_to_a_holder_is_exported_or_left_out_for_a_reason() -> None:
    exported = {"accounts", *(name for query in SECTIONS.values() for name in re.findall(r"\bfrom (\w+)", query))}
    leading = {name for name, columns in tables().items() if columns & LEADS_TO_A_HOLDER}

    assert "refund_events" in leading
    assert leading - exported - LEFT_OUT.keys() == set()
    assert exported & LEFT_OUT.keys() == set()
    assert LEFT_OUT.keys() <= tables().keys()


@pytest.mark.parametrize("section", SECTIONS)
def test_no_section_holds_a_secret(section: str) -> None:
    columns = SECTIONS[section].partition(" from ")[0]
    assert not re.search(r"hash|token|secret|sealed|digest|email_key|processor", columns)


async def exported(service: Service, holder: Holder) -> dict[str, Any]:
    """Return what the holder's link leads to."""
    url = (await service.ask(URL, token=(await factories.begin_again(holder)).token))["me"]["dataExportUrl"]
    app = Starlette(routes=[export_route(service.ports)])
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://calls.example", trust_env=False)
    found: dict[str, Any] = json.loads((await client.get(url)).text)
    return found


@pytest.mark.row("D6")
async def test_the_export_tells_what_was_paid_called_disputed_closed_and_refunded(service: Service) -> None:
    ann, ben = [await factories.holder(service, f"{name}@mail.test") for name in ("ann", "ben")]
    opened, card, switch = await ann.advance_connect(), await ann.card(), await factories.switch_key(service)
    await paid(service, ben, await ben.advance_connect(), "15.00", await ben.card())
    await paid(service, ann, opened, "5.00", await ann.card("tok_mastercard"))
    await dispute(service, (await service.processor.charges())[-1].key)
    await paid(service, ann, opened, "25.00", card)
    await Scene(service, ann, opened, card).set_auto_pay("5.00", "10.00")
    await record(service, switch, opened.phone, 600)
    await close(service, ann, opened.id)
    await pass_time(service, 10 * DAY)

    found = await exported(service, ann)

    assert found.keys() == {"exportedAt", "account", *SECTIONS}
    assert [(each["amount"], len(each["lines"])) for each in found["payments"]] == [(500, 1), (2_500, 1)]
    assert [(each["amount"], each["status"]) for each in found["disputes"]] == [(500, "OPEN")]
    assert [(each["amount"], each["state"]) for each in found["auto_pay"]] == [(1_000, "TERMINATED")]
    assert [each["cost"] for each in found["calls"]] == [100]
    assert [(each["status"], each["address"]["line1"]) for each in found["refunds"]] == [("COMPLETED", "12 Elm Street")]
    assert [each["status"] for each in found["refund_steps"]] == [
        "SETTLING", "CALCULATED", "SUBMITTED", "ISSUED", "COMPLETED",
    ]  # fmt: skip
    assert len(found["closed_services"]) == len(found["closings"]) == 1
    assert "consents" in found
    assert {each["id"] for each in (await exported(service, ben))["payments"]}.isdisjoint(
        each["id"] for each in found["payments"]
    )
