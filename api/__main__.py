"""The commands: python -m api serve | worker | migrate | schema | demo | key add | staff add | staff reset |
staff disable | staff enable | plan list | plan price | ledger audit."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from uuid import UUID

from api.domain.accounts import STAFF_ROLES
from api.settings import Settings, SettingsError, load_settings, refuse_open_sandbox

_STAFF_ACTS = {
    "reset": "give a new password, typed or from stdin; ends sign-ins, drops the second factor and a lock",
    "disable": "let a member of staff in no more",
    "enable": "let a member of staff in again who was disabled",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m api", description="The service and its chores.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve GraphQL over HTTP and WebSocket")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--workers", type=int, default=1)
    commands.add_parser("worker", help="do background work")
    commands.add_parser("migrate", help="bring the database to the newest schema")
    commands.add_parser("schema", help="print the GraphQL schema")
    commands.add_parser("demo", help="fill an empty database of the sandbox with demo data")
    key = commands.add_parser("key", help="keys of the phone switch and of payment partners").add_subparsers(
        dest="act", required=True
    )
    add = key.add_parser("add", help="make a key and print it once")
    add.add_argument("name")
    add.add_argument("--role", required=True, choices=["PHONE_SWITCH", "PAYMENT_PARTNER"])
    staff = commands.add_parser("staff", help="accounts of the operator's staff").add_subparsers(
        dest="act", required=True
    )
    staff_add = staff.add_parser("add", help="make a staff account; asks for the password, or reads it from stdin")
    staff_add.add_argument("email")
    staff_add.add_argument("--role", required=True, action="append", choices=sorted(role.value for role in STAFF_ROLES))
    staff_add.add_argument("--name", help="as it stands on record; the address's name when left out")
    for act, does in _STAFF_ACTS.items():
        staff.add_parser(act, help=does).add_argument("email")
    plan = commands.add_parser("plan", help="monthly plans").add_subparsers(dest="act", required=True)
    plan.add_parser("list", help="print the plans with their ids")
    price = plan.add_parser("price", help="announce a price; subscribers are mailed, and pay it 30 days later at least")
    price.add_argument("plan", type=UUID)
    price.add_argument("price", help="dollars a month, e.g. 34.99")
    price.add_argument("--from", dest="since", required=True, type=date.fromisoformat, metavar="YYYY-MM-DD")
    ledger = commands.add_parser("ledger", help="the books").add_subparsers(dest="act", required=True)
    audit = ledger.add_parser("audit", help="recompute every balance from its postings and holds")
    audit.add_argument(
        "--on", type=date.fromisoformat, metavar="YYYY-MM-DD", help="compare that day of the processor's books as well"
    )
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2


def _run(given: argparse.Namespace) -> int:
    if given.command == "schema":
        from api.graphql import export_schema

        sys.stdout.write(export_schema())
        return 0
    settings = load_settings()
    if given.command == "serve":
        return _serve(settings, given.host, given.port, given.workers)
    if given.command == "worker":
        from api.wiring import check_start
        from api.worker import work

        asyncio.run(check_start(settings))
        asyncio.run(work(settings))
        return 0
    if given.command == "migrate":
        applied = _migrate(settings)
        print("\n".join(applied) if applied else "nothing to do")
        return 0
    if given.command == "demo":
        return asyncio.run(_connected(settings, _demo))
    if given.command == "key":
        return asyncio.run(_connected(settings, lambda s: _add_key(s, given.name, given.role)))
    if given.command == "staff":
        password = _read_password() if given.act in ("add", "reset") else ""
        return asyncio.run(_connected(settings, lambda s: _act_on_staff(s, given, password)))
    if given.command == "plan":
        return asyncio.run(_connected(settings, lambda s: _act_on_plans(s, given)))
    return asyncio.run(_connected(settings, lambda s: _audit(s, given.on)))


def _serve(settings: Settings, host: str, port: int, workers: int) -> int:
    import uvicorn

    from api.wiring import check_start

    refuse_open_sandbox(settings, host)
    if workers > 1:
        if settings.database_url.startswith("sqlite"):
            raise SettingsError("DATABASE_URL: more than one worker needs postgres://")
        if settings.broadcast_url.startswith("memory"):
            raise SettingsError("BROADCAST_URL: more than one worker needs redis:// or postgres://")
        os.environ["WORKER"] = "off"
    if settings.is_sandbox:
        # A sandbox is there to be tried at once; elsewhere somebody decides when a database changes.
        _migrate(settings)
        os.environ.setdefault("PUBLIC_URL", f"http://{'127.0.0.1' if host == 'localhost' else host}:{port}")
    asyncio.run(check_start(settings))
    # Once it has shut down in good order, uvicorn raises the signal that it was told to do so by once more.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers if workers > 1 else None,
        loop="uvloop",
        http="api.routes.http_head:BoundedHttp",
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        limit_concurrency=None,
    )
    return 0


def _migrate(settings: Settings) -> list[str]:
    from api.adapters.migrations import migrate
    from api.wiring import naming_settings

    with naming_settings():
        return asyncio.run(migrate(settings.database_url))


async def _connected(settings: Settings, act: Callable[[Settings], Awaitable[int]]) -> int:
    from api.adapters import database
    from api.wiring import check_database, naming_settings

    with naming_settings():
        await database.connect(settings.database_url, pool=2)
        try:
            await check_database(settings)
            return await act(settings)
        finally:
            await database.disconnect()


async def _demo(settings: Settings) -> int:
    from api.auth.passwords import Passwords
    from api.services.demo import fill_empty_database
    from api.services.sandbox import mark_as_sandbox
    from api.wiring import make_ports

    if not settings.is_sandbox:
        raise SettingsError("SANDBOX: demo data exist only in the sandbox; set SANDBOX=on")
    ports = make_ports(settings)
    passwords = Passwords(ports.secrets)
    await mark_as_sandbox()
    filled = await fill_empty_database(ports, passwords)
    print("filled with demo data" if filled else "the database is not empty; nothing was changed")
    await ports.processor.close()
    passwords.close()
    return 0


async def _add_key(settings: Settings, name: str, role: str) -> int:
    from tortoise.exceptions import IntegrityError

    from api.domain.accounts import Role
    from api.services.keys import add_key
    from api.wiring import make_ports

    try:
        print(await add_key(make_ports(settings), name, Role(role)))
    except IntegrityError:
        print(f"there is a key named {name} already", file=sys.stderr)
        return 1
    return 0


def _read_password() -> str:
    """Return the password that was typed twice without showing, or the first line of what was piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise SettingsError("the passwords differ")
    return password


async def _act_on_staff(settings: Settings, given: argparse.Namespace, password: str) -> int:
    from api.auth.passwords import Passwords
    from api.domain.accounts import Role
    from api.domain.faults import Refused
    from api.domain.texts import DEFAULT_LOCALE, render
    from api.services import staff
    from api.wiring import make_ports

    ports, email = make_ports(settings), given.email
    passwords = Passwords(ports.secrets)
    try:
        if given.act == "add":
            roles, name = [Role(role) for role in given.role], given.name or email.partition("@")[0]
            await staff.add_staff(ports, passwords, email=email, name=name, password=password, roles=roles)
            print(f"{email} may sign in; outside the sandbox only to set up a second factor at first")
        elif given.act == "reset":
            await staff.reset_staff(ports, passwords, email=email, password=password)
            print(f"{email} may sign in with the new password and set up a second factor; all sign-ins have ended")
        elif given.act == "disable":
            await staff.disable_staff(ports, email=email)
            print(f"{email} may not sign in any more; all sign-ins have ended")
        else:
            await staff.enable_staff(ports, email=email)
            print(f"{email} may sign in again")
    except Refused as refusal:
        for fault in refusal.faults:
            print(render(DEFAULT_LOCALE, fault.key, fault.params), file=sys.stderr)
        return 1
    finally:
        passwords.close()
        await ports.processor.close()
    return 0


async def _act_on_plans(settings: Settings, given: argparse.Namespace) -> int:
    from api.domain.money import cents_of, plain_decimal
    from api.services import plan_prices
    from api.wiring import current_ports

    if given.act == "list":
        print("\n".join(await plan_prices.plan_list()))
        return 0
    try:
        async with current_ports(settings) as ports:
            await plan_prices.announce(ports, given.plan, cents_of(plain_decimal(given.price)), given.since)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"announced; new subscribers pay it from {given.since} on, the others when their mails say")
    return 0


async def _audit(settings: Settings, on: date | None) -> int:
    from api.services.audit import audit

    if on is not None:
        return await _reconcile(settings, on)
    found = await audit()
    for difference in found.differences:
        print(difference)
    print(f"{found.balances} balances, {found.entries} entries, {found.holds} pending holds: ", end="")
    print("no difference" if not found.differences else f"{len(found.differences)} differences")
    return 1 if found.differences else 0


async def _reconcile(settings: Settings, on: date) -> int:
    from api.domain.texts import DEFAULT_LOCALE
    from api.schema.reconciliation import in_words
    from api.services.reconciliation import reconcile
    from api.wiring import current_ports

    async with current_ports(settings) as ports:
        found = await reconcile(ports, on)
    for difference in found.differences:
        print(in_words(difference, DEFAULT_LOCALE))
    print(f"the ledger, and the processor's books of {on}: ", end="")
    print("no difference" if not found.differences else f"{len(found.differences)} differences")
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
