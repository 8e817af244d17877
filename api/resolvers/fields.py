"""How root fields are declared: who may call them, and how a refusal becomes data."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

import strawberry
import structlog
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField

from api.adapters.database import DatabaseUnavailable
from api.domain.accounts import STAFF_ROLES, Role
from api.domain.faults import ErrorCode, Fault, Refused
from api.schema.errors import Payload, user_errors

HOLDER = (Role.CUSTOMER,)
SWITCH = (Role.PHONE_SWITCH,)
BILLING = (Role.BILLING_AGENT, Role.ADMIN)
STAFF = tuple(sorted(STAFF_ROLES, key=list(Role).index))
PEOPLE = (*HOLDER, *STAFF)

_log = structlog.get_logger("api.resolvers")
_running: set[asyncio.Future[Any]] = set()


def _note_end(task: asyncio.Future[Any]) -> None:
    """Take the outcome of a mutation whose client has gone: a refusal is no news, a bug is."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, Refused | DatabaseUnavailable):
        _log.error("unexpected error after the client had gone", exc_info=error)


class Door(FieldExtension):
    """Admits the declared roles and turns refusals into the payload's errors.

    `enrolling`: also for staff who may do nothing else yet than set up a second factor. `ended_too`: also for the token
    of a sign-in that its own deletion ended, which the resolver then must look at.
    """

    def __init__(
        self,
        roles: tuple[Role, ...],
        payload: type[Payload] | None = None,
        *,
        enrolling: bool = False,
        ended_too: bool = False,
    ) -> None:
        self.roles = roles
        self.payload = payload
        self.enrolling = enrolling
        self.ended_too = ended_too

    def apply(self, field: StrawberryField) -> None:
        who = ", ".join(role.value for role in self.roles) if self.roles else "everybody"
        said = f" For: {who}."
        if not (field.description or "").endswith(said):  # A schema may be built twice in one process.
            field.description = f"{field.description}{said}"

    def admit(self, info: strawberry.Info) -> None:
        """Raise RequestRefused unless the viewer may call the field."""
        if not self.enrolling:
            info.context.refuse_unless_enrolled()
        if self.roles:
            info.context.admit(self.roles)

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **arguments: Any
    ) -> Any:
        if not (self.ended_too and await info.context.find_ended()):
            self.admit(info)
        if self.payload is None:
            return await next_(source, info, **arguments)
        # A client that goes away must not stop a mutation half-way, e.g. between a payment's intent and its outcome.
        task = asyncio.ensure_future(next_(source, info, **arguments))
        _running.add(task)
        task.add_done_callback(_running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_note_end)
            raise
        except Refused as refusal:
            return self.payload(errors=user_errors(refusal.faults, info.context.locale))
        except DatabaseUnavailable:
            fault = Fault(ErrorCode.UNAVAILABLE, "errors.unavailable")
            return self.payload(errors=user_errors([fault], info.context.locale))


class StreamDoor(Door):
    """A door of subscriptions: it is passed before the stream begins. `or_by` names an argument that lets anybody pass
    who gives it, e.g. a receipt token, which the resolver then must look at."""

    def __init__(self, roles: tuple[Role, ...], *, or_by: str | None = None) -> None:
        super().__init__(roles)
        self.or_by = or_by

    def resolve(self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **arguments: Any) -> Any:
        self._pass(info, arguments)
        return next_(source, info, **arguments)

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **arguments: Any
    ) -> Any:
        self._pass(info, arguments)
        stream = next_(source, info, **arguments)
        return await stream if isawaitable(stream) else stream

    def _pass(self, info: strawberry.Info, arguments: dict[str, Any]) -> None:
        if self.or_by is None or arguments.get(self.or_by) is None:
            self.admit(info)


def query(description: str, *, roles: tuple[Role, ...] = ()) -> Any:
    """Declare a root query for these roles, or for everybody; the description says so."""
    return strawberry.field(description=description, extensions=[Door(roles)])


def mutation(
    description: str,
    *,
    payload: type[Payload],
    roles: tuple[Role, ...] = (),
    enrolling: bool = False,
    ended_too: bool = False,
) -> Any:
    """Declare a mutation for these roles, or for everybody. What it refuses arrives in the payload's `errors`.

    `enrolling`: staff without a second factor may call it too. `ended_too`: see Door.
    """
    door = Door(roles, payload, enrolling=enrolling, ended_too=ended_too)
    return strawberry.mutation(description=description, extensions=[door])


def subscription(description: str, *, roles: tuple[Role, ...] = (), or_by: str | None = None) -> Any:
    """Declare a subscription for these roles, or for everybody; others are refused before it begins.

    `or_by`: an argument that opens it to whoever gives it, see StreamDoor.
    """
    return strawberry.subscription(description=description, extensions=[StreamDoor(roles, or_by=or_by)])
