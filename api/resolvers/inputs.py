"""Reading ids of inputs: one that is not of its kind is answered like one that is nobody's."""

from __future__ import annotations

from uuid import UUID

from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.ids import NodeKind, key_of


def key_in(text: str, kind: NodeKind, *path: str) -> UUID:
    """Return the key that an input's id names; raises Refused with NOT_FOUND."""
    key = key_of(text, kind)
    if key is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
    return key


def key_or_nobodys(text: str | None, kind: NodeKind) -> UUID | None:
    """Return the key that an input's id names, one that nothing has where it names none, None where it is left out: so
    that a use case tells it with all else that is wrong."""
    return None if text is None else key_of(text, kind) or UUID(int=0)
