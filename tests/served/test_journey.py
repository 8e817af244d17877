"""The whole journey of a customer, from nothing to a call that is paid for, as a front end would go it."""

import pytest

from tests.flows.getting_in import SIGN_UP, VERIFY, sign_up_input
from tests.live_servers import LiveServer, audit
from tests.served.client import Api
from tests.served.steps import (
    BALANCE_CHANGED,
    ERRORS,
    RECORD,
    SWITCH,
    add_card,
    authorize,
    link_token,
    new_key,
    pay,
    sign_in,
    until_revision,
)

pytestmark = pytest.mark.xdist_group("served")

OPEN = f"""mutation ($input: OpenServiceAccountInput!) {{ openServiceAccount(input: $input) {{
  serviceAccount {{ id ... on AdvanceConnectAccount {{ balance {{ revision }} }} }} {ERRORS} }} }}"""


async def test_who_signs_up_pays_and_is_called_sees_each_change_of_the_balance_live(server: LiveServer) -> None:
    email, password, phone, call_id = (
        f"ann-{new_key()}@example.com",
        "Correct horse 7 battery",
        "+12145550188",
        new_key(),
    )
    async with Api(server.url) as api:
        assert (await api.ask(SIGN_UP, input=sign_up_input(email, password=password)))["errors"] == []
        mails = (await api.http.get("/sandbox/mail", params={"to": email})).json()
        assert (await api.ask(VERIFY, token=link_token(mails[0]["text"])))["errors"] == []
        api.token = await sign_in(api, email, password)
        opened = await api.ask(OPEN, input={"product": "ADVANCE_CONNECT", "phone": phone, "idempotencyKey": new_key()})
        assert opened["errors"] == []
        service, card = opened["serviceAccount"], await add_card(api)

        async with api.socket() as socket:
            stream = await socket.subscribe(BALANCE_CHANGED, id=service["id"])
            snapshot = await stream.next()
            assert (await pay(api, service["id"], card))["payment"]["status"] == "SUCCEEDED"
            assert await authorize(api, phone, call_id) == 3600
            now = (await api.http.get("/sandbox/clock")).json()["now"]
            call = {"callId": call_id, "phone": phone, "startedAt": now, "ratePerMinute": "0.21", "durationSeconds": 61}
            recorded = await api.ask(RECORD, by=SWITCH, input=call)
            assert recorded["call"]["status"] == "ENDED"
            updates = await until_revision(stream, snapshot["balance"]["revision"] + 4)

    assert snapshot["cause"] == "SNAPSHOT"
    assert snapshot["balance"]["available"]["amount"] == "0.00"
    assert [update["cause"] for update in updates] == ["PAYMENT_PENDING", "FUNDED", "CALL_STARTED", "CALL_CHARGED"]
    revisions = [update["balance"]["revision"] for update in updates]
    assert revisions == [service["balance"]["revision"] + number for number in (1, 2, 3, 4)]
    assert [update["balance"]["available"]["amount"] for update in updates] == ["0.00", "25.00", "12.40", "24.58"]
    assert audit(server) == (0, "no difference")
