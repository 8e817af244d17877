"""Opaque, global ids: what kind of thing, and its UUID, in 23 characters that say nothing to a reader."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from enum import IntEnum
from uuid import UUID


class NodeKind(IntEnum):
    """Kinds of things that `node` can find. A number once given is never given to another kind."""

    ACCOUNT = 1
    SIGN_IN = 2
    SERVICE_ACCOUNT = 3
    BALANCE = 4
    PHONE = 5
    FACILITY = 6
    TRANSACTION = 7
    CALL = 8
    PAYMENT_METHOD = 9
    QUOTE = 10
    PAYMENT = 11
    PLAN = 12
    SUBSCRIPTION = 13
    ACTIVITY = 14
    INVOICE = 15
    STATEMENT = 16
    INCARCERATED_PERSON = 17
    REFUND = 19
    HELD_FUNDS = 20
    CLOSURE = 18
    DUE_WORK = 40


def global_id(kind: NodeKind, key: UUID) -> str:
    """Return the id that clients hold."""
    return urlsafe_b64encode(bytes((kind,)) + key.bytes).decode().rstrip("=")


def read_id(text: str) -> tuple[NodeKind, UUID] | None:
    """Return what an id names, or None when it is not one of ours; every thing has exactly one spelling."""
    if len(text) != 23 or not text.isascii():
        return None
    try:
        raw = urlsafe_b64decode(text + "=")
        kind, key = NodeKind(raw[0]), UUID(bytes=raw[1:])
    except (Error, ValueError, IndexError):
        return None
    return (kind, key) if global_id(kind, key) == text else None


def key_of(text: str, kind: NodeKind) -> UUID | None:
    """Return the UUID of an id of this kind, or None when it is of another kind or none at all."""
    found = read_id(text)
    return found[1] if found and found[0] is kind else None
