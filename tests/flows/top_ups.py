"""What the flows of AutoPay, TextPay and alerts ask."""

from __future__ import annotations

from typing import Any

from api.adapters import sandbox_messages
from api.domain.agreements import AgreementKind, current_version
from api.services import due_work
from api.services.inbound_texts import take_text
from tests import factories
from tests.factories import Holder, Opened, charged_call
from tests.flows.conftest import Service
from tests.flows.money import ERRORS

MOBILE = "+15055550177"
AUTO_PAY = """autoPay { state threshold { amount } amount { amount } monthlyCap { amount } chargedThisMonth { amount }
  paymentMethod { last4 } lastPayment { status channel declineReason amount { amount } } }"""
TEXT_PAY = """textPay { state phone threshold { amount } amount { amount } paymentMethod { last4 } offerExpiresAt }"""
SERVICE = f"serviceAccount {{ id {AUTO_PAY} {TEXT_PAY} lowBalanceAlert {{ amount }} balance {{ isLow revision }} }}"
SET_AUTO_PAY = f"mutation($input: SetAutoPayInput!) {{ setAutoPay(input: $input) {{ {SERVICE} {ERRORS} }} }}"
SET_TEXT_PAY = f"mutation($input: SetTextPayInput!) {{ setTextPay(input: $input) {{ {SERVICE} {ERRORS} }} }}"
PAUSE = f"""mutation($id: ID!, $paused: Boolean!) {{
  pauseAutoPay(serviceAccountId: $id, paused: $paused) {{ {SERVICE} {ERRORS} }} }}"""
CANCEL = f"mutation($id: ID!) {{ cancelAutoPay(serviceAccountId: $id) {{ {SERVICE} {ERRORS} }} }}"
CANCEL_TEXT_PAY = f"mutation($id: ID!) {{ cancelTextPay(serviceAccountId: $id) {{ {SERVICE} {ERRORS} }} }}"
SET_ALERT = f"""mutation($id: ID!, $threshold: Decimal) {{
  setLowBalanceAlert(serviceAccountId: $id, threshold: $threshold) {{
    serviceAccount {{ ... on AdvanceConnectAccount {{ lowBalanceAlert {{ amount }} balance {{ isLow }} }} }}
    {ERRORS} }} }}"""
READ = f"""query($id: ID!) {{ node(id: $id) {{ ... on AdvanceConnectAccount {{ {AUTO_PAY} {TEXT_PAY}
  lowBalanceAlert {{ amount }} balance {{ posted {{ amount }} incoming {{ amount }} isLow revision }} }} }} }}"""


class Scene:
    """A holder with a service, a card, and a switch that reports calls."""

    def __init__(self, service: Service, holder: Holder, opened: Opened, card: str) -> None:
        self.service, self.holder, self.opened, self.card = service, holder, opened, card
        self.calls = 0

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Ask as the holder; return the payload of the document's one field."""
        data = await self.service.ask(document, variables, token=self.holder.token)
        payload: dict[str, Any] = next(iter(data.values()))
        return payload

    async def set_auto_pay(self, threshold: str = "10.00", amount: str = "25.00", **more: Any) -> dict[str, Any]:
        """Set AutoPay; return the payload."""
        version = current_version(AgreementKind.AUTOPAY)
        given = {"threshold": threshold, "amount": amount, "acceptMandate": True, "agreementVersion": version}
        ids = {"serviceAccountId": self.opened.id, "paymentMethodId": self.card}
        return await self.ask(SET_AUTO_PAY, input=ids | given | more)

    async def set_text_pay(self, threshold: str = "10.00", amount: str = "25.00", **more: Any) -> dict[str, Any]:
        """Set TextPay; return the payload."""
        version = current_version(AgreementKind.TEXTPAY)
        given = {"threshold": threshold, "amount": amount, "phone": MOBILE, "agreementVersion": version}
        ids = {"serviceAccountId": self.opened.id, "paymentMethodId": self.card}
        accepted = {"acceptMandate": True, "acceptSms": True}
        return await self.ask(SET_TEXT_PAY, input=ids | given | accepted | more)

    async def call(self, minutes: int, *, works: bool = True) -> None:
        """Have a call charged, at ten cents a minute; then do what is due."""
        self.calls += 1
        switch = await factories.switch_id()
        await charged_call(self.service.ports, switch, self.opened, f"call-{self.calls}", minutes)
        if works:
            await self.settle()

    async def settle(self) -> None:
        """Do all that is due, and what that makes due."""
        for _ in range(5):
            await self.service.work()
            if await due_work.next_due(self.service.ports.now()) is None:
                return

    async def read(self) -> dict[str, Any]:
        """Return AutoPay, TextPay, alert and balance of the service."""
        return await self.ask(READ, id=self.opened.id)

    async def posted(self) -> str:
        """Return the posted balance."""
        amount: str = (await self.read())["balance"]["posted"]["amount"]
        return amount

    async def auto_pay(self) -> dict[str, Any]:
        """Return AutoPay as the holder sees it."""
        found: dict[str, Any] = (await self.read())["autoPay"]
        return found

    async def text_pay(self) -> dict[str, Any]:
        """Return TextPay as the holder sees it."""
        found: dict[str, Any] = (await self.read())["textPay"]
        return found

    async def texts(self, phone: str = MOBILE) -> list[str]:
        """Return the texts that a phone has got by now, newest first."""
        await self.service.work()
        return [message.text for message in await sandbox_messages.messages("sms", phone)]

    async def reply(self, text: str, message_id: str, phone: str = MOBILE) -> None:
        """Have a text come in from a phone; then do what is due."""
        await take_text(self.service.ports, message_id, phone, text)
        await self.settle()

    async def subjects(self) -> list[str]:
        """Return the subjects of the mails that the holder has got by now, newest first."""
        return [mail.subject for mail in await self.service.mails(self.holder.email)]


async def scene(service: Service, balance_cents: int = 2_000, token: str = "tok_visa") -> Scene:
    """Return a service with so much in it, and one card."""
    ann = await factories.holder(service)
    await factories.switch_key(service)
    return Scene(service, ann, await ann.advance_connect(balance_cents), await ann.card(token))


async def captured(service: Service) -> int:
    """Return what the processor has charged in all, in cents."""
    return await service.processor.captured_cents()
