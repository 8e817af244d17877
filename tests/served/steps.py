"""The operations that the tests of the served API share, and the steps that a customer takes with them."""

from __future__ import annotations

import re
import uuid
from typing import Any

from tests.served.client import Api, Stream

DEMO = {"email": "demo@example.com", "password": "Demo-pass-1"}
SWITCH = "demo-switch-key"
ERRORS = "errors { code message path }"
SIGN_IN = f"mutation ($input: SignInInput!) {{ signIn(input: $input) {{ token {ERRORS} }} }}"
SIGN_OUT = f"mutation {{ signOut {{ accepted {ERRORS} }} }}"
SERVICES = """{ me { serviceAccounts { id ... on AdvanceConnectAccount {
  phoneNumbers { phone } balance { revision posted { amount } held { amount } available { amount } } } } } }"""
METHODS = "{ me { paymentMethods { id last4 } } }"
ADD_CARD = f"""mutation ($token: String!) {{
  addPaymentMethod(providerToken: $token) {{ paymentMethod {{ id last4 }} {ERRORS} }} }}"""
QUOTE = f"mutation ($input: QuotePaymentInput!) {{ quotePayment(input: $input) {{ quote {{ id }} {ERRORS} }} }}"
PAY = f"mutation ($input: PayInput!) {{ pay(input: $input) {{ payment {{ id status actionUrl }} replayed {ERRORS} }} }}"
PAYMENT = "query ($key: String!) { paymentByIdempotencyKey(key: $key) { status amount { amount } } }"
AUTHORIZE = f"mutation ($input: AuthorizeCallInput!) {{ authorizeCall(input: $input) {{ maxSeconds {ERRORS} }} }}"
RECORD = f"mutation ($input: RecordCallInput!) {{ recordCall(input: $input) {{ call {{ status }} {ERRORS} }} }}"
BALANCE_CHANGED = """subscription ($id: ID) { balanceChanged(serviceAccountId: $id) {
  cause balance { revision posted { amount } held { amount } available { amount } } } }"""
REQUIREMENTS = "{ signUpRequirements { passwordMinLength } }"


async def sign_in(api: Api, email: str = DEMO["email"], password: str = DEMO["password"]) -> str:
    """Sign in and return the token."""
    payload = await api.ask(SIGN_IN, input={"email": email, "password": password})
    assert payload["errors"] == []
    token: str = payload["token"]
    return token


async def prepaid_service(api: Api) -> dict[str, Any]:
    """Return the signed-in account's AdvanceConnect service."""
    services = (await api.ask(SERVICES))["serviceAccounts"]
    found: dict[str, Any] = next(service for service in services if "balance" in service)
    return found


async def add_card(api: Api, token: str = "tok_visa") -> str:
    """Add a card and return its id."""
    payload = await api.ask(ADD_CARD, token=token)
    assert payload["errors"] == []
    card: str = payload["paymentMethod"]["id"]
    return card


async def pay(api: Api, service_id: str, card_id: str, amount: str = "25.00", **more: str) -> dict[str, Any]:
    """Quote and pay; return the payload, whatever it says."""
    quoted = await api.ask(
        QUOTE, input={"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": service_id, "amount": amount}
    )
    assert quoted["errors"] == []
    order = {"quoteId": quoted["quote"]["id"], "paymentMethodId": card_id, "idempotencyKey": new_key(), **more}
    payload: dict[str, Any] = await api.ask(PAY, input=order)
    return payload


async def authorize(api: Api, phone: str, call_id: str) -> int:
    """Begin a call as the phone switch does; return the seconds that it may last."""
    call = {"callId": call_id, "phone": phone, "ratePerMinute": "0.21"}
    payload = await api.ask(AUTHORIZE, by=SWITCH, input=call)
    assert payload["errors"] == []
    seconds: int = payload["maxSeconds"]
    return seconds


async def release(api: Api, phone: str, call_id: str) -> None:
    """End a call that never was, so that nothing of it is left."""
    started_at = (await api.http.get("/sandbox/clock")).json()["now"]
    call = {"callId": call_id, "phone": phone, "startedAt": started_at, "durationSeconds": 0, "ratePerMinute": "0.21"}
    assert (await api.ask(RECORD, by=SWITCH, input=call))["errors"] == []


async def until(stream: Stream, cause: str, *, seconds: float = 20.0) -> dict[str, Any]:
    """Return the first update with this cause; updates before it are of no interest."""
    while True:
        update: dict[str, Any] = await stream.next(seconds)
        if update["cause"] == cause:
            return update


async def until_revision(stream: Stream, revision: int) -> list[dict[str, Any]]:
    """Return the updates up to this revision or a later one."""
    updates = [await stream.next()]
    while updates[-1]["balance"]["revision"] < revision:
        updates.append(await stream.next())
    return updates


def link_token(text: str) -> str:
    """Return the token of the link in a mail."""
    found = re.search(r"/verify\?token=(\S+)", text)
    assert found is not None, text
    return found[1]


def new_key() -> str:
    """Return an idempotency key or a call's id that nobody has used."""
    return uuid.uuid4().hex
