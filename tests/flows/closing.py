"""What the flows of closing ask."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from api.adapters.database import fetch
from api.services import sandbox
from tests.factories import Holder
from tests.flows.conftest import SECONDS_MAX, Service

ERRORS = """errors { __typename code message path ... on StaleError { changed }
  ... on AcknowledgementMissingError { missing } }"""
PREVIEW = """query($id: ID) { me { deletionPreview(serviceAccountId: $id) { token expiresAt
  consequences { code text es: text(locale: "es") }
  refunds { product balance { amount } deducted { amount } refundable { amount } method destination
    window { earliest latest rule } }
  notRefundable { product reason } address { line1 zip revision } sessionsToCancelFirst { id } } } }"""
CLOSURE = """id kind status revision requestedVia callWindowEndsAt completedAt
  refunds { status amount { amount } method destination product } heldFunds { amount { amount } }"""
DELETE = f"""mutation($input: DeleteAccountInput!) {{ deleteAccount(input: $input) {{
  receiptToken replayed closure {{ {CLOSURE} }} {ERRORS} }} }}"""
CLOSE = f"""mutation($input: CloseServiceAccountInput!) {{ closeServiceAccount(input: $input) {{
  receiptToken replayed closure {{ {CLOSURE} }} {ERRORS} }} }}"""
BY_RECEIPT = f"query($token: String!) {{ closureByReceipt(receiptToken: $token) {{ {CLOSURE} }} }}"
CHANGED = """subscription($id: ID, $receipt: String) { closureChanged(closureId: $id, receiptToken: $receipt) {
  at closure { id status revision } } }"""
DAY = timedelta(hours=24)


async def preview(service: Service, token: str, service_id: str | None = None) -> dict[str, Any]:
    """Return what closing would do."""
    data = await service.ask(PREVIEW, {"id": service_id}, token=token)
    found: dict[str, Any] = data["me"]["deletionPreview"]
    return found


def agreed(shown: dict[str, Any], key: str = "closing", **changes: Any) -> dict[str, Any]:
    """Return the input that agrees to all that a preview showed."""
    return {
        "previewToken": shown["token"],
        "acknowledge": [each["code"] for each in shown["consequences"]],
        "addressRevision": shown["address"]["revision"],
        "idempotencyKey": key,
        **changes,
    }


async def ask_deletion(service: Service, token: str, given: dict[str, Any]) -> dict[str, Any]:
    """Delete the account; return the payload."""
    payload: dict[str, Any] = (await service.ask(DELETE, {"input": given}, token=token))["deleteAccount"]
    return payload


async def ask_closing(service: Service, token: str, given: dict[str, Any]) -> dict[str, Any]:
    """Close a service; return the payload."""
    payload: dict[str, Any] = (await service.ask(CLOSE, {"input": given}, token=token))["closeServiceAccount"]
    return payload


async def delete(service: Service, holder: Holder, key: str = "closing", **changes: Any) -> dict[str, Any]:
    """Look at the preview and delete the account as it says; return the payload, which has no errors."""
    payload = await ask_deletion(service, holder.token, agreed(await preview(service, holder.token), key, **changes))
    assert payload["errors"] == []
    return payload


async def close(service: Service, holder: Holder, service_id: str, key: str = "closing") -> dict[str, Any]:
    """Look at a service's preview and close it as it says; return the payload, which has no errors."""
    shown = await preview(service, holder.token, service_id)
    payload = await ask_closing(service, holder.token, agreed(shown, key, serviceAccountId=service_id))
    assert payload["errors"] == []
    return payload


async def by_receipt(service: Service, token: str) -> dict[str, Any]:
    """Return the closing of a receipt."""
    found: dict[str, Any] = (await service.ask(BY_RECEIPT, {"token": token}))["closureByReceipt"]
    return found


async def pass_time(service: Service, by: timedelta) -> None:
    """Let time pass as the sandbox does: what falls due on the way is done in order of time."""
    async with asyncio.timeout(3 * SECONDS_MAX):
        await sandbox.advance(service.ports, by, service.runner.run_due)


async def ledger_of(kind: str) -> int:
    """Return the sum of a kind of ledger account, credits less debits."""
    rows = await fetch(
        "select coalesce(sum(case when c.kind = $1 then l.amount else 0 end), 0)"
        " - coalesce(sum(case when d.kind = $1 then l.amount else 0 end), 0) as n from legs l"
        " join ledger_accounts c on c.id = l.credit_id join ledger_accounts d on d.id = l.debit_id",
        kind,
    )
    return int(rows[0]["n"])
