"""The open sockets of this process, by the sign-in that they were opened with, so that they end with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(eq=False, frozen=True, slots=True)
class Socket:
    """One socket; `end` starts its closing and returns at once."""

    owner_id: UUID | None
    sign_in_id: UUID
    end: Callable[[], None]


class Sockets:
    """A registry that many sockets of one sign-in may stand in."""

    def __init__(self) -> None:
        self._by_sign_in: dict[UUID, set[Socket]] = {}

    def add(self, socket: Socket) -> None:
        """Have a socket end with its sign-in."""
        self._by_sign_in.setdefault(socket.sign_in_id, set()).add(socket)

    def remove(self, socket: Socket) -> None:
        """Forget a socket that was closed; a repeat changes nothing."""
        sockets = self._by_sign_in.get(socket.sign_in_id, set())
        sockets.discard(socket)
        if not sockets:
            self._by_sign_in.pop(socket.sign_in_id, None)

    def end_sign_in(self, sign_in_id: UUID) -> None:
        """End the sockets of one sign-in."""
        for socket in list(self._by_sign_in.get(sign_in_id, ())):
            socket.end()

    def end_owner(self, owner_id: UUID, *, spared: UUID | None = None) -> None:
        """End the sockets of an account's or a member of staff's sign-ins: of all but the one that is spared."""
        for socket in [socket for sockets in self._by_sign_in.values() for socket in sockets]:
            if socket.owner_id == owner_id and socket.sign_in_id != spared:
                socket.end()

    def sign_ins(self) -> set[UUID]:
        """Return the sign-ins that have an open socket."""
        return set(self._by_sign_in)
