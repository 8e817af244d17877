"""Direct Bill in tests: a service with calls on it, and the first of a month."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.adapters.database import fetch_one, read_uuid
from api.auth.sign_ins import make_key
from api.domain.accounts import Role
from api.domain.days import day_of, first_of_next_month, start_of
from api.domain.service_accounts import Product
from api.services import month_ends
from api.services.service_accounts import open_service
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.money import ERRORS, record

INVOICE = "number kind status statementDate dueDate total { amount } due { amount } payLink"
INVOICES = f"""{{ me {{ serviceAccounts {{ ... on DirectBillAccount {{ unbilled {{ amount }}
  balance {{ posted {{ amount }} available {{ amount }} held {{ amount }} incoming {{ amount }} }}
  invoices {{ edges {{ node {{ id {INVOICE} }} }} }} }} }} }} }}"""
STATEMENT = """id product periodStart periodEnd opening { amount } deposits { amount } charges { amount }
  closing { amount } callSeconds csvUrl"""
STATEMENTS = f"{{ me {{ statements {{ edges {{ node {{ {STATEMENT} }} }} }} }} }}"
LINKED = "number status total { amount } due { amount } payLink provider publishableKey paymentStatus actionUrl"
BY_LINK = f"query($link: String!) {{ invoiceByLink(link: $link) {{ {LINKED} }} }}"
PAY_LINK = f"""mutation($link: String!, $amount: Decimal!, $token: String!, $key: String!, $return: String) {{
  payInvoiceByLink(link: $link, amount: $amount, providerToken: $token, idempotencyKey: $key, returnUrl: $return) {{
    replayed invoice {{ {LINKED} }} {ERRORS} }} }}"""
EXTERNAL = f"""mutation($input: RecordExternalPaymentInput!) {{ recordExternalPayment(input: $input) {{
  applied replayed {ERRORS} }} }}"""


async def direct_bill(service: Service, holder: Holder) -> Opened:
    """Open a Direct Bill service on a phone of its own."""
    phone = f"+1512{holder.account_id.int % 10**7:07d}"
    row, _ = await open_service(service.ports, holder.account_id, Product.DIRECT_BILL, phone, "opening of direct bill")
    return Opened(read_uuid(row["id"]), phone)


async def number_of(key: UUID) -> str:
    """Return a service's printed number."""
    row = await fetch_one("select number from service_accounts where id = $1", key)
    assert row is not None
    return str(row["number"])


async def next_month(service: Service, beyond: timedelta = timedelta(minutes=1)) -> datetime:
    """Move the clock just past the first of the next month, Central time, and do what falls due."""
    await month_ends.expect_month_end(service.ports)
    start = start_of(first_of_next_month(day_of(service.ports.now())))
    await service.advance(start + beyond - service.ports.now())
    await service.work()
    return start


async def invoiced(service: Service, cents: int = 100) -> tuple[Holder, Opened, str, str]:
    """Return a holder with an invoice of this much, the link's token, and a switch's key."""
    ann = await factories.holder(service)
    opened, key = await direct_bill(service, ann), await factories.switch_key(service)
    await record(service, key, opened.phone, cents * 6, "to be billed")
    await next_month(service)
    ann = await factories.begin_again(ann)
    (invoice,) = await invoices(service, ann)
    return ann, opened, invoice["payLink"].partition("link=")[2], key


async def invoices(service: Service, holder: Holder) -> list[dict[str, Any]]:
    """Return the holder's invoices of the one Direct Bill service, newest first."""
    return [edge["node"] for edge in (await account(service, holder))["invoices"]["edges"]]


async def account(service: Service, holder: Holder) -> dict[str, Any]:
    """Return the holder's one Direct Bill service."""
    found = (await service.ask(INVOICES, token=holder.token))["me"]["serviceAccounts"]
    (direct,) = [one for one in found if one]
    result: dict[str, Any] = direct
    return result


async def statements(service: Service, holder: Holder) -> list[dict[str, Any]]:
    """Return the holder's statements, newest first, amounts as text."""
    edges = (await service.ask(STATEMENTS, token=holder.token))["me"]["statements"]["edges"]
    return [
        {name: value["amount"] if isinstance(value, dict) else value for name, value in edge["node"].items()}
        for edge in edges
    ]


async def pay_link(
    service: Service, link: str, amount: str, token: str = "tok_visa", key: str = "key", **asked: Any
) -> dict[str, Any]:
    """Pay an invoice by its link, signed out; return the payload."""
    variables = {"link": link, "amount": amount, "token": token, "key": key}
    payload: dict[str, Any] = (await service.ask(PAY_LINK, variables, **asked))["payInvoiceByLink"]
    return payload


async def partner(service: Service) -> str:
    """Make a key of a payment partner; return its token."""
    return await make_key(service.ports.now(), "partner", Role.PAYMENT_PARTNER)


async def external(service: Service, token: str, number: str, amount: Any = "25.00", **changes: Any) -> dict[str, Any]:
    """Report a payment by Western Union; return the payload."""
    variables = {
        "accountNumber": number,
        "channel": "WESTERN_UNION",
        "amount": amount,
        "externalReference": "MTCN-1",
        "paidAt": "2026-11-01T12:00:00Z",
        **changes,
    }
    payload: dict[str, Any] = (await service.ask(EXTERNAL, {"input": variables}, token=token))["recordExternalPayment"]
    return payload
