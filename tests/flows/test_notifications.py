"""By which channels a holder hears of things; what is mandatory stays (rule 37, item of notification preferences)."""

from __future__ import annotations

from typing import Any

from api.adapters import sandbox_messages
from api.adapters.database import fetch_one, transactional
from api.adapters.ports import Ports
from api.domain.notifications import NotificationTopic
from api.services.notifications import notify
from api.services.sms import reopen_phone, stop_phone
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.getting_in import ERRORS, codes

PREFERENCES = "notificationPreferences { topic channels mandatory }"
SET = f"""mutation($topic: NotificationTopic!, $channels: [NotificationChannel!]!) {{
  setNotificationPreference(topic: $topic, channels: $channels) {{ account {{ {PREFERENCES} }} {ERRORS} }} }}"""
PHONE = "+12145550123"


async def choose(service: Service, holder: Holder, topic: str, *channels: str) -> dict[str, Any]:
    data = await service.ask(SET, {"topic": topic, "channels": list(channels)}, token=holder.token)
    payload: dict[str, Any] = data["setNotificationPreference"]
    return payload


async def preferences(service: Service, holder: Holder) -> dict[str, list[str]]:
    data = await service.ask(f"{{ me {{ {PREFERENCES} }} }}", token=holder.token)
    return {kept["topic"]: kept["channels"] for kept in data["me"]["notificationPreferences"]}


async def tell(service: Service, holder: Holder, topic: str, key: str = "event-1") -> tuple[int, int]:
    """Tell the holder something; return how many mails and texts there are by now."""
    account = await fetch_one("select * from accounts where id = $1", holder.account_id)
    assert account is not None

    @transactional
    async def told(ports: Ports) -> None:
        await notify(
            ports, account, NotificationTopic(topic), "notices.password_changed", key=key, params={"at": "now"}
        )

    await told(service.ports)
    await service.work()
    texts = await sandbox_messages.messages("sms", PHONE)
    return len(await service.mails(holder.email)), len(texts)


async def test_until_told_otherwise_all_but_offers_go_by_mail(service: Service) -> None:
    ann = await factories.holder(service)

    kept = await preferences(service, ann)

    assert kept.pop("MARKETING") == []
    assert set(kept) == {topic.value for topic in NotificationTopic} - {"MARKETING"}
    assert all(channels == ["EMAIL"] for channels in kept.values())


async def test_a_choice_holds_for_its_topic_alone_and_can_be_changed_again(service: Service) -> None:
    ann, bob = await factories.holder(service), await factories.holder(service, "bob@mail.test")

    first = await choose(service, ann, "LOW_BALANCE", "SMS", "EMAIL", "SMS")
    second = await choose(service, ann, "STATEMENT")

    assert codes(first) == codes(second) == []
    kept = await preferences(service, ann)
    assert (kept["LOW_BALANCE"], kept["STATEMENT"], kept["PAYMENT"]) == (["EMAIL", "SMS"], [], ["EMAIL"])
    assert (await preferences(service, bob))["LOW_BALANCE"] == ["EMAIL"]


async def test_what_is_mandatory_cannot_be_turned_off_but_texts_may_be_added(service: Service) -> None:
    ann = await factories.holder(service)

    for topic in ("SECURITY", "REFUND", "INVOICE", "INACTIVITY"):
        for channels in ((), ("SMS",)):
            refused = await choose(service, ann, topic, *channels)
            assert codes(refused) == ["INVALID"]
            assert refused["errors"][0]["path"] == ["channels"]
        assert codes(await choose(service, ann, topic, "EMAIL", "SMS")) == []

    assert (await preferences(service, ann))["SECURITY"] == ["EMAIL", "SMS"]


async def test_a_message_goes_by_the_chosen_channels_once_per_event(service: Service) -> None:
    ann = await factories.holder(service)

    assert await tell(service, ann, "PAYMENT", "one") == (1, 0)
    await choose(service, ann, "PAYMENT", "SMS")
    assert await tell(service, ann, "PAYMENT", "two") == (1, 1)
    assert await tell(service, ann, "PAYMENT", "two") == (1, 1)
    await choose(service, ann, "PAYMENT")
    assert await tell(service, ann, "PAYMENT", "three") == (1, 1)
    text = (await sandbox_messages.messages("sms", PHONE))[0].text
    assert text == "Example Calls: Your password was changed"


async def test_a_phone_that_said_stop_gets_no_text_until_it_says_start(service: Service) -> None:
    ann = await factories.holder(service)
    await choose(service, ann, "PAYMENT", "EMAIL", "SMS")

    await transactional(stop_phone)(service.ports, PHONE)
    assert await tell(service, ann, "PAYMENT", "one") == (1, 0)
    await transactional(reopen_phone)(service.ports, PHONE)
    assert await tell(service, ann, "PAYMENT", "two") == (2, 1)


async def test_a_text_that_waits_is_not_sent_once_the_phone_says_stop(service: Service) -> None:
    ann = await factories.holder(service)
    await choose(service, ann, "PAYMENT", "SMS")
    account = await fetch_one("select * from accounts where id = $1", ann.account_id)
    assert account is not None

    @transactional
    async def told(ports: Ports) -> None:
        await notify(ports, account, NotificationTopic.PAYMENT, "notices.password_changed", key="x", params={"at": "y"})

    await told(service.ports)
    await transactional(stop_phone)(service.ports, PHONE)
    await service.work()

    assert await sandbox_messages.messages("sms", PHONE) == []


async def test_a_phone_is_texted_so_often_an_hour_and_then_mailed_instead(service: Service) -> None:
    ann = await factories.holder(service)
    await choose(service, ann, "PAYMENT", "SMS")
    before, _ = await tell(service, ann, "PAYMENT", "event-0")

    for n in range(1, 22):
        mails, texts = await tell(service, ann, "PAYMENT", f"event-{n}")

    assert (mails - before, texts) == (2, 20)
