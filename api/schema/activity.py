"""Activity: what happened to an account, as its holder reads it."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.adapters.database import Row, read_json, read_time, read_uuid
from api.domain.accounts import Channel
from api.domain.ids import NodeKind, global_id
from api.domain.texts import render
from api.schema.enums import publish
from api.schema.pages import connection
from api.schema.scalars import Info, Node, PageInfo
from api.services.pages import Page

publish(
    Channel,
    "The way by which somebody acts.",
    WEB="A browser.",
    IOS="The app on an iPhone or iPad.",
    ANDROID="The app on an Android device.",
    PHONE_AGENT="Staff, for a customer on the phone.",
    SMS="A text message.",
    CHAT="The support chat.",
    SYSTEM="The service itself, or a machine with a key.",
)


@strawberry.type(description="One act on the account, or one that was tried.")
class Activity(Node):
    at: datetime = strawberry.field(description="When it happened.")
    action: str = strawberry.field(
        description='What it was, e.g. "signed_in" or "password_changed"; new ones may be added.'
    )
    actor: str = strawberry.field(
        description='"holder", "system", "somebody" for who did not prove to be the holder, or a staff member\'s name.'
    )
    channel: Channel = strawberry.field(description="The way by which it came.")
    params: strawberry.Private[dict[str, str]]

    @strawberry.field(description="One line for the holder, in the account's language.")
    def summary(self, info: Info) -> str:
        locale = info.context.locale
        params = {name: value or render(locale, "activity.unnamed") for name, value in self.params.items()}
        return render(locale, f"activity.{self.action}", params)

    @staticmethod
    def of(row: Row) -> Activity:
        return Activity(
            id=strawberry.ID(global_id(NodeKind.ACTIVITY, read_uuid(row["id"]))),
            at=read_time(row["at"]),
            action=row["action"],
            actor=row["actor"],
            channel=Channel(row["channel"]),
            params=read_json(row["params"]),
        )


@strawberry.type(description="An act on a page, with its cursor.")
class ActivityEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Activity = strawberry.field(description="The act.")


@strawberry.type(description="What happened to an account, newest first.")
class ActivityConnection:
    edges: list[ActivityEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> ActivityConnection:
        return connection(ActivityConnection, ActivityEdge, Activity.of, page, lambda row: (row["id"],))
