"""What the flows of unsubscribing ask."""

from __future__ import annotations

from typing import Any

from api.domain.ids import NodeKind, global_id
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service

ERRORS = "errors { __typename code message path ... on InvalidStateError { currentState allowedActions } }"
SUBSCRIPTION = "id status renewsAt accessUntil currentPeriodEnd"
CANCELLATION = """id step outcome canUnsubscribe canStay reasons { code label } chosenReason { code label }
  warning { text accessUntil noRefund }"""
PAYLOAD = f"{{ cancellation {{ {CANCELLATION} }} subscription {{ {SUBSCRIPTION} }} {ERRORS} }}"
UNSUBSCRIBE = f"mutation($id: ID!) {{ done: unsubscribe(subscriptionId: $id) {PAYLOAD} }}"
CHOOSE = f"""mutation($id: ID!, $reason: String!, $comment: String) {{
  done: chooseCancellationReason(cancellationId: $id, reasonCode: $reason, comment: $comment) {PAYLOAD} }}"""
STEP = f"mutation($id: ID!) {{ done: %s(cancellationId: $id) {PAYLOAD} }}"
RESUME = f"""mutation($id: ID!) {{ done: resumeSubscription(subscriptionId: $id) {{
  subscription {{ {SUBSCRIPTION} cancellation {{ outcome }} }} {ERRORS} }} }}"""
MINE = f"{{ me {{ subscriptions {{ {SUBSCRIPTION} cancellation {{ {CANCELLATION} }} }} }} }}"
REASON = "too_expensive"


async def subscribed(service: Service, holder: Holder) -> str:
    """Insert a subscription to a plan of a facility of its own; return its id."""
    return global_id(NodeKind.SUBSCRIPTION, await factories.subscription(service, holder.account_id))


async def do(service: Service, token: str, document: str, **variables: Any) -> dict[str, Any]:
    """Return the payload of a mutation that is called `done`."""
    payload: dict[str, Any] = (await service.ask(document, variables, token=token))["done"]
    return payload


async def act(service: Service, token: str, name: str, cancellation_id: str, **more: Any) -> dict[str, Any]:
    """Take a step of a flow by its mutation's name; return the payload."""
    if name == "chooseCancellationReason":
        return await do(service, token, CHOOSE, id=cancellation_id, **{"reason": REASON, **more})
    return await do(service, token, STEP % name, id=cancellation_id)


async def begin(service: Service, holder: Holder, subscription_id: str, *steps: str) -> str:
    """Press Unsubscribe, then take steps, none of which is refused; return the flow's id."""
    payload = await do(service, holder.token, UNSUBSCRIBE, id=subscription_id)
    assert payload["errors"] == []
    flow_id: str = payload["cancellation"]["id"]
    for step in steps:
        assert (await act(service, holder.token, step, flow_id))["errors"] == []
    return flow_id


CANCEL = ("chooseCancellationReason", "confirmUnsubscribe", "completeCancellation")


async def cancel(service: Service, holder: Holder, subscription_id: str) -> str:
    """Cancel; return the flow's id."""
    return await begin(service, holder, subscription_id, *CANCEL)


async def mine(service: Service, holder: Holder) -> list[dict[str, Any]]:
    """Return the holder's subscriptions, newest first."""
    found: list[dict[str, Any]] = (await service.ask(MINE, token=holder.token))["me"]["subscriptions"]
    return found
