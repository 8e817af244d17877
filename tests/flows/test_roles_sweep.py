"""Every root field says who may call it, and lets exactly those in; nobody reaches what is somebody else's.

Generated from the schema: a field that is added is swept with the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
)

from api.adapters.database import execute, fetch, read_uuid
from api.auth.emails import Email
from api.auth.sign_ins import Bearer, begin_sign_in, make_key
from api.domain.accounts import STAFF_ROLES, Channel, Role
from api.domain.ids import NodeKind, global_id
from api.graphql import build_schema
from api.resolvers.fields import Door
from api.services import demo
from api.services.staff import insert_staff
from tests.factories import Holder, holder
from tests.flows.conftest import Service
from tests.flows.money_back import held, refunded

SCHEMA = build_schema()._schema
REFUSALS = {"UNAUTHENTICATED", "FORBIDDEN"}
OPERATIONS = (
    ("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type), ("subscription", SCHEMA.subscription_type),
)  # fmt: skip
TABLES = {
    NodeKind.ACCOUNT: "accounts", NodeKind.SIGN_IN: "sign_ins", NodeKind.SERVICE_ACCOUNT: "service_accounts",
    NodeKind.BALANCE: "balances", NodeKind.PHONE: "account_phones", NodeKind.TRANSACTION: "journal_entries",
    NodeKind.CALL: "calls", NodeKind.PAYMENT_METHOD: "payment_methods", NodeKind.QUOTE: "quotes",
    NodeKind.PAYMENT: "payments", NodeKind.SUBSCRIPTION: "plan_subscriptions",
    NodeKind.CLOSURE: "closures", NodeKind.REFUND: "refunds",
    NodeKind.HELD_FUNDS: "held_funds",
}  # fmt: skip


@dataclass(frozen=True)
class Root:
    """A field of Query, Mutation or Subscription."""

    operation: str
    name: str
    field: GraphQLField

    def door(self) -> Door | None:
        """Return where its roles are declared."""
        extensions = self.field.extensions["strawberry-definition"].extensions
        return next((extension for extension in extensions if isinstance(extension, Door)), None)

    def document(self) -> str:
        """Return a document that calls it, its arguments as variables."""
        declared = ", ".join(f"${name}: {argument.type}" for name, argument in self.field.args.items())
        given = ", ".join(f"{name}: ${name}" for name in self.field.args)
        call = f"{self.name}({given})" if given else self.name
        return f"{self.operation}{f'({declared})' if declared else ''} {{ {call} {_selection(self.field.type)} }}"


def _selection(of: Any) -> str:
    named = get_named_type(of)
    if isinstance(named, GraphQLUnionType | GraphQLInterfaceType):
        return "{ __typename }"
    if not isinstance(named, GraphQLObjectType):
        return ""
    errors = " errors { code path }" if "errors" in named.fields else ""
    return f"{{ __typename{errors} }}"


def _roots() -> Iterator[Root]:
    for operation, owner in OPERATIONS:
        assert owner is not None
        for name, field in owner.fields.items():
            yield Root(operation, name, field)


ROOTS = tuple(_roots())


def values(of: GraphQLArgument | GraphQLInputField, key: str, ids: str | None = None) -> Any:
    """Return a small valid value, e.g. for `input`; every id in it is `ids`, required or not, when that is given."""
    return _value(of.type, key, ids)


def _value(of: Any, key: str, ids: str | None) -> Any:
    if isinstance(of, GraphQLNonNull):
        of = of.of_type
    elif ids is None or not _takes_ids(of):
        return None
    if isinstance(of, GraphQLList):
        return [_value(of.of_type, key, ids)]
    if isinstance(of, GraphQLInputObjectType):
        return {name: values(field, name, ids) for name, field in of.fields.items() if _is_given(field, ids)}
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    by_type = {
        "ID": ids or global_id(NodeKind.SERVICE_ACCOUNT, uuid4()), "Int": 1, "Boolean": True, "Decimal": "25.00",
        "DateTime": "2026-11-22T12:00:00Z", "Date": "2026-11-22", "Upload": None,
    }  # fmt: skip
    return by_type.get(of.name, f"{key}-{uuid4()}")


def _is_given(field: GraphQLInputField, ids: str | None) -> bool:
    return isinstance(field.type, GraphQLNonNull) or (ids is not None and _takes_ids(field.type))


def _takes_ids(of: Any, seen: tuple[str, ...] = ()) -> bool:
    named = get_named_type(of)
    if not isinstance(named, GraphQLInputObjectType):
        return named.name == "ID"
    return named.name not in seen and any(
        _takes_ids(field.type, (*seen, named.name)) for field in named.fields.values()
    )


def arguments(root: Root, ids: str | None = None) -> dict[str, Any]:
    given = {name: values(argument, name, ids) for name, argument in root.field.args.items()}
    return {name: value for name, value in given.items() if value is not None}


async def call(service: Service, root: Root, token: str | None, variables: dict[str, Any]) -> dict[str, Any]:
    """Call a field once, a subscription up to its first event; return what came, in the protocol's form."""
    if root.operation == "subscription":
        async with service.watch(root.document(), variables, token=token) as stream:
            result = await stream.result()
    else:
        result = await service.run(root.document(), variables, token=token)
    errors = [{"message": error.message, "extensions": error.extensions} for error in result.errors or ()]
    return {"data": result.data, "errors": errors}


def refusal(answered: dict[str, Any]) -> str | None:
    """Return how the door refused, or None when it let the caller in."""
    found = {error["extensions"].get("code") for error in answered["errors"]} & REFUSALS
    assert "INTERNAL" not in {error["extensions"].get("code") for error in answered["errors"]}, answered
    return next(iter(found), None)


async def callers(service: Service) -> dict[Role | None, str | None]:
    """Return a token for each role; None is signed out, and has none."""
    tokens: dict[Role | None, str | None] = {None: None}
    somebody = await holder(service)
    # A refund, so that the stream of refunds has a first event.
    await refunded(service, somebody, await somebody.advance_connect(500))
    kept = await service.passwords.hash_password("nobody types this one 7")
    await execute("update accounts set password_hash = $1", kept)
    tokens[Role.CUSTOMER] = somebody.token
    for role in (Role.PHONE_SWITCH, Role.PAYMENT_PARTNER):
        tokens[role] = await make_key(service.ports.now(), role.value, role)
    for role in STAFF_ROLES:
        address = Email(f"{role.value}@example.org", f"{role.value.lower()}@example.org")
        await insert_staff(service.ports.now(), address, role.value, kept, [role])
        row = (await fetch("select id from staff_members where email_key = $1", address.key))[0]
        tokens[role], _ = await begin_sign_in(service.ports, Bearer(read_uuid(row["id"]), True, "", Channel.WEB, False))
    return tokens


@pytest.mark.rule("39")
@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_each_root_field_declares_who_may_call_it_and_says_so(root: Root) -> None:
    declared = root.door()

    assert declared is not None, f"{root.name}: declare it by query(), mutation() or subscription() of resolvers/fields"
    who = ", ".join(role.value for role in declared.roles) or "everybody"
    assert (root.field.description or "").endswith(f"For: {who}.")


@pytest.mark.row("T16")
@pytest.mark.rule("39")
async def test_exactly_the_declared_roles_get_past_each_door(service: Service) -> None:
    tokens = await callers(service)
    wrong = {}

    for root in ROOTS:
        declared = root.door()
        for role, token in tokens.items():
            is_open = declared is not None and (not declared.roles or role in declared.roles)
            wanted = None if is_open else "UNAUTHENTICATED" if role is None else "FORBIDDEN"
            # Signing out would end the caller for the fields that follow.
            by = None if root.name == "signOut" else token
            found = refusal(await call(service, root, by, arguments(root)))
            if found != wanted:
                wrong[root.name, role and role.value] = found

    assert wrong == {}


@pytest.mark.row("T15", "T16")
@pytest.mark.rule("35")
async def test_what_is_somebody_elses_is_answered_like_what_does_not_exist(service: Service) -> None:
    # The demo data hold one of nearly everything; they are somebody else's here.
    await demo.fill_empty_database(service.ports, service.passwords)
    mine: Holder = await holder(service)
    await mine.advance_connect()
    await held(service, await holder(service, "ben@mail.test"))
    switch = await make_key(service.ports.now(), "swept", Role.PHONE_SWITCH)
    theirs_by_kind = [pair async for pair in _theirs(mine)]
    found = {kind for kind, _ in theirs_by_kind}
    assert found >= {NodeKind.ACCOUNT, NodeKind.SERVICE_ACCOUNT, NodeKind.PAYMENT, NodeKind.HELD_FUNDS}
    wrong = {}

    for root in (root for root in ROOTS if any(_takes_ids(argument.type) for argument in root.field.args.values())):
        declared = root.door()
        assert declared is not None
        by = switch if declared.roles == (Role.PHONE_SWITCH,) else mine.token
        for kind, key in theirs_by_kind:
            theirs = arguments(root, global_id(kind, key))
            nobodys = json.loads(json.dumps(theirs).replace(global_id(kind, key), global_id(kind, uuid4())))
            answers = [await call(service, root, by, variables) for variables in (theirs, nobodys)]
            if answers[0] != answers[1]:
                wrong[root.name, kind.name] = answers

    assert wrong == {}


async def _theirs(mine: Holder) -> Any:
    for kind, table in TABLES.items():
        rows = await fetch(f"select * from {table}")
        own = {"account_id": str(mine.account_id), "id": str(mine.account_id)}
        found = [row for row in rows if str(row.get("account_id")) != own["account_id"] and str(row["id"]) != own["id"]]
        if kind is NodeKind.SIGN_IN:
            found = [row for row in found if row["account_id"]]
        if found:
            yield kind, read_uuid(found[0]["id"])
