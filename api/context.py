"""What a resolver can reach: the ports, who is asking, in which language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from graphql import GraphQLError
from strawberry.dataloader import DataLoader

from api.adapters.database import Row, read_uuid
from api.adapters.ports import Ports
from api.auth.passwords import Passwords
from api.auth.sign_ins import EndedSignIn, Viewer, find_ended, find_viewer
from api.domain.accounts import Role
from api.domain.closing_data import closing_data
from api.domain.ids import NodeKind
from api.domain.texts import pick_locale, render
from api.services.balances import balances_of
from api.services.cancellation_flows import newest_flows
from api.services.facilities import plans_at
from api.services.ids import find_all
from api.services.ledger import Balance
from api.services.refund_reads import timelines_of
from api.services.video_offers import Offer, offers_at


class RequestRefused(GraphQLError):
    """A request that is broken or not allowed as a whole; its message is safe to show."""

    def __init__(self, code: str, text_key: str, locale: str, **params: Any) -> None:
        super().__init__(render(locale, text_key, params), extensions={"code": code})


class CookieSlot(Protocol):
    """Where the answer to a browser's request takes the sign-in's cookie."""

    def give(self, token: str, seconds: int) -> None:
        """Have the browser keep the token for so long."""
        ...

    def clear(self) -> None:
        """Have the browser drop the cookie."""
        ...


@dataclass
class Connection:
    """What is known of a request or a socket before any operation on it is run.

    `from_cookie` says how `token` came. `cookie` is there for requests of an allowed origin, which a cookie may answer;
    `wants_cookie` when such a request asks for one. `owner_id` and `sign_in_id` are whose a socket was opened as.
    """

    ports: Ports
    passwords: Passwords
    client_address: str
    accept_language: str | None = None
    token: str | None = None
    user_agent: str = ""
    connection_params: dict[str, Any] | None = None
    from_cookie: bool = False
    wants_cookie: bool = False
    cookie: CookieSlot | None = None
    owner_id: UUID | None = None
    sign_in_id: UUID | None = None

    async def operation(self) -> Context:
        """Return the context of one operation; the sign-in is looked up again each time, so that ending it counts."""
        return Context(self, await self.viewer())

    async def viewer(self) -> Viewer | None:
        """Return who is asking as of now, or None."""
        return await find_viewer(self.ports, self.token, from_cookie=self.from_cookie)


@dataclass
class Context:
    """The context of one operation."""

    connection: Connection
    viewer: Viewer | None
    ended: EndedSignIn | None = None
    _account_locale: str | None = field(init=False, default=None)
    _loaders: dict[NodeKind, DataLoader[UUID, Row | None]] = field(init=False, default_factory=dict)
    _balances: DataLoader[UUID, Balance] | None = field(init=False, default=None)
    _plans: DataLoader[UUID, list[Row]] | None = field(init=False, default=None)
    _offers: DataLoader[UUID, Offer] | None = field(init=False, default=None)
    _cancellations: DataLoader[UUID, Row | None] | None = field(init=False, default=None)
    _timelines: DataLoader[UUID, list[Row]] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.viewer is not None and self.viewer.account is not None:
            self._account_locale = self.viewer.account["locale"]
        elif self.viewer is not None and self.viewer.staff is not None:
            self._account_locale = self.viewer.staff.locale

    async def find(self, kind: NodeKind, key: UUID | None) -> Row | None:
        """Return the row of a key when the viewer may see it; many asked for at once take one statement."""
        if key is None:
            return None
        loader = self._loaders.get(kind)
        if loader is None:
            account_id = self.viewer.account_id if self.viewer else None

            async def load(keys: list[UUID]) -> list[Row | None]:
                return await find_all(account_id, kind, keys)

            loader = self._loaders[kind] = DataLoader(load_fn=load, cache=False)
        return await loader.load(key)

    async def balance_of(self, service_account_id: UUID) -> Balance:
        """Return the balance of a service that was found before; many asked for at once take one statement."""
        if self._balances is None:
            self._balances = DataLoader(load_fn=balances_of, cache=False)
        return await self._balances.load(service_account_id)

    async def plans_at(self, facility_id: UUID) -> list[Row]:
        """Return a facility's plans; those of many asked for at once take one statement."""
        if self._plans is None:
            self._plans = DataLoader(load_fn=_plans_by_facility, cache=False)
        return await self._plans.load(facility_id)

    async def offer_at(self, facility_id: UUID) -> Offer:
        """Return what a facility offers of visits; of many asked for at once all take two statements."""
        if self._offers is None:
            now = self.ports.now()

            async def load(keys: list[UUID]) -> list[Offer]:
                return await offers_at(keys, now)

            self._offers = DataLoader(load_fn=load, cache=False)
        return await self._offers.load(facility_id)

    async def cancellation_of(self, subscription_id: UUID) -> Row | None:
        """Return the newest flow of unsubscribing from a subscription that was found before, or None; those of many
        asked for at once take one statement."""
        if self._cancellations is None:
            self._cancellations = DataLoader(load_fn=newest_flows, cache=False)
        return await self._cancellations.load(subscription_id)

    async def timeline_of(self, refund_id: UUID) -> list[Row]:
        """Return the lines of a refund that was found before; many asked for at once take one statement."""
        if self._timelines is None:
            self._timelines = DataLoader(load_fn=timelines_of, cache=False)
        return await self._timelines.load(refund_id)

    async def find_ended(self) -> bool:
        """Look, where nobody is signed in, whether the token is of a sign-in that its own deletion has just ended."""
        if self.viewer is None:
            connection = self.connection
            self.ended = await find_ended(
                self.ports, connection.token, from_cookie=connection.from_cookie, within=closing_data().replay
            )
        return self.ended is not None

    @property
    def ports(self) -> Ports:
        """The outside world."""
        return self.connection.ports

    @property
    def passwords(self) -> Passwords:
        """The hashing threads."""
        return self.connection.passwords

    @property
    def locale(self) -> str:
        """The language of the account, else of the request."""
        return self._account_locale or pick_locale(self.connection.accept_language)

    def admit(self, roles: Iterable[Role]) -> Viewer:
        """Return the viewer when it has one of these roles; raises RequestRefused otherwise."""
        if self.viewer is None:
            raise RequestRefused("UNAUTHENTICATED", "errors.unauthenticated", self.locale)
        if self.viewer.roles.isdisjoint(roles):
            raise RequestRefused("FORBIDDEN", "errors.forbidden", self.locale)
        return self.viewer

    def refuse_unless_enrolled(self) -> None:
        """Raise RequestRefused for staff who have no second factor where one is demanded (rule 10)."""
        if self.viewer is not None and self.viewer.may_only_enrol:
            raise RequestRefused("FORBIDDEN", "second_factors.enrol_first", self.locale)

    def holder(self) -> UUID:
        """Return the id of the signed-in account; raises RequestRefused for everybody else."""
        account_id = self.admit((Role.CUSTOMER,)).account_id
        assert account_id is not None
        return account_id

    def switch(self) -> UUID:
        """Return the id of the phone switch's key; raises RequestRefused for everybody else."""
        key_id = self.admit((Role.PHONE_SWITCH,)).key_id
        assert key_id is not None
        return key_id

    def bad_request(self, text_key: str, **params: Any) -> RequestRefused:
        """Return the error of a request that cannot be answered, e.g. for the id of nothing."""
        return RequestRefused("BAD_REQUEST", text_key, self.locale, **params)


async def _plans_by_facility(keys: list[UUID]) -> list[list[Row]]:
    rows = await plans_at(keys)
    return [[row for row in rows if read_uuid(row["f_id"]) == key] for key in keys]
