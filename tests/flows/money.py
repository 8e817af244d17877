"""What the flows of money ask."""

from __future__ import annotations

from typing import Any

from api.adapters.database import fetch
from tests.factories import Holder, Opened
from tests.flows.conftest import Service

ERRORS = """errors { __typename code message path
  ... on IdempotencyConflictError { firstUsedAt } ... on PaymentDeclinedError { reason retryable }
  ... on LimitExceededError { limit { amount } remaining { amount } } ... on InvalidStateError { currentState } }"""
BALANCE = "revision posted { amount } held { amount } incoming { amount } available { amount } isLow"
PAYMENT = """id status purpose channel amount { amount } total { amount } declineReason actionUrl settledAt
  method { last4 } lines { label amount { amount } }"""
OPEN = f"""mutation($input: OpenServiceAccountInput!) {{ openServiceAccount(input: $input) {{
  serviceAccount {{ id product number status ... on AdvanceConnectAccount {{ balance {{ {BALANCE} }}
    phoneNumbers {{ phone }} }} }} {ERRORS} }} }}"""
ADD_CARD = f"""mutation($token: String!, $first: Boolean! = false) {{
  addPaymentMethod(providerToken: $token, makeDefault: $first) {{
    paymentMethod {{ id brand last4 isDefault expired }} {ERRORS} }} }}"""
QUOTE = f"""mutation($input: QuotePaymentInput!) {{ quotePayment(input: $input) {{
  quote {{ id total {{ amount }} balanceAfter {{ amount }} expiresAt lines {{ label amount {{ amount }} }} }}
  {ERRORS} }} }}"""
PAY = f"mutation($input: PayInput!) {{ pay(input: $input) {{ replayed payment {{ {PAYMENT} }} {ERRORS} }} }}"
BY_KEY = f"query($key: String!) {{ paymentByIdempotencyKey(key: $key) {{ {PAYMENT} }} }}"
BALANCES = f"{{ me {{ balances {{ {BALANCE} }} }} }}"
CALL = "id phone status durationSeconds ratePerMinute cost { amount } facility { name }"
AUTHORIZE = f"""mutation($input: AuthorizeCallInput!) {{ authorizeCall(input: $input) {{
  maxSeconds replayed call {{ {CALL} }} {ERRORS} }} }}"""
RECORD = f"""mutation($input: RecordCallInput!) {{ recordCall(input: $input) {{
  maxSeconds replayed call {{ {CALL} }} {ERRORS} }} }}"""


async def open_service(service: Service, holder: Holder, key: str = "open", **changes: Any) -> dict[str, Any]:
    """Open an AdvanceConnect service; return the payload."""
    variables = {"product": "ADVANCE_CONNECT", "phone": "505-555-0100", "idempotencyKey": key, **changes}
    data = await service.ask(OPEN, {"input": variables}, token=holder.token)
    payload: dict[str, Any] = data["openServiceAccount"]
    return payload


async def quote(service: Service, holder: Holder, opened: Opened, amount: Any = "25.00") -> dict[str, Any]:
    """Quote a deposit; return the payload."""
    variables = {"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": opened.id, "amount": amount}
    payload: dict[str, Any] = (await service.ask(QUOTE, {"input": variables}, token=holder.token))["quotePayment"]
    return payload


async def pay(
    service: Service, holder: Holder, quote_id: str, card: str, key: str = "key", **more: str
) -> dict[str, Any]:
    """Pay a quote; return the payload."""
    variables = {"quoteId": quote_id, "paymentMethodId": card, "idempotencyKey": key, **more}
    payload: dict[str, Any] = (await service.ask(PAY, {"input": variables}, token=holder.token))["pay"]
    return payload


async def authorize(service: Service, key: str, phone: str, call_id: str = "call", **more: Any) -> dict[str, Any]:
    """Ask as the switch whether a call may begin or go on, at ten cents a minute; return the payload."""
    variables = {"callId": call_id, "phone": phone, "ratePerMinute": "0.10", **more}
    payload: dict[str, Any] = (await service.ask(AUTHORIZE, {"input": variables}, token=key))["authorizeCall"]
    return payload


async def record(
    service: Service, key: str, phone: str, seconds: int, call_id: str = "call", /, **more: Any
) -> dict[str, Any]:
    """Report a call as the switch, begun now, at ten cents a minute; return the payload."""
    variables = {
        "callId": call_id,
        "phone": phone,
        "startedAt": service.ports.now().isoformat(),
        "durationSeconds": seconds,
        "ratePerMinute": "0.10",
        **more,
    }
    payload: dict[str, Any] = (await service.ask(RECORD, {"input": variables}, token=key))["recordCall"]
    return payload


async def balance(service: Service, holder: Holder) -> dict[str, Any]:
    """Return the holder's one balance: amounts as text by name, and the revision."""
    ((found,),) = [(await service.ask(BALANCES, token=holder.token))["me"]["balances"]]
    return {name: value["amount"] if isinstance(value, dict) else value for name, value in found.items()}


async def count(table: str) -> int:
    """Return how many rows a table has."""
    return int((await fetch(f"select count(*) as n from {table}"))[0]["n"])
