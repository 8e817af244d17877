"""The commands as people and deployments run them: what they say, and how they end."""

import asyncio
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.domain.days import day_of
from api.graphql import export_schema
from tests.flows.getting_in import PASSWORD
from tests.flows.own_account import NEW_PASSWORD
from tests.live_servers import LiveServer, Process, live_server, run_command
from tests.served.client import Api
from tests.served.steps import BALANCE_CHANGED, sign_in

pytestmark = pytest.mark.xdist_group("served-commands")

AGENT = "agent@example.org"
KEY = {"SECRET_KEY": "a secret for tests only, long enough"}
REAL = {"SANDBOX": "off", **KEY}


@pytest.fixture
def folder(migrated: Path, tmp_path: Path) -> Path:
    shutil.copy(migrated / "app.sqlite3", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def filled(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with demo data, to be copied: filling takes longer than what is done with them."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copy(migrated / "app.sqlite3", folder)
    assert run_command(folder, "demo").stdout == "filled with demo data\n"
    return folder


@pytest.fixture
def demo_folder(filled: Path, tmp_path: Path) -> Path:
    """Return a test's own folder with demo data."""
    return Path(shutil.copytree(filled, tmp_path / "filled"))


def test_two_migrations_at_once_and_one_after_bring_the_schema_once(migrated: Path) -> None:
    again = run_command(migrated, "migrate")

    assert (again.returncode, again.stdout, again.stderr) == (0, "nothing to do\n", "")


def test_the_schema_is_printed_as_it_is_served(tmp_path: Path) -> None:
    done = run_command(tmp_path, "schema", SANDBOX="off", DATABASE_URL="nonsense")

    assert (done.returncode, done.stdout) == (0, export_schema())


def test_demo_data_fill_an_empty_database_once_and_its_books_are_right(demo_folder: Path) -> None:
    assert "nothing was changed" in run_command(demo_folder, "demo").stdout

    audited = run_command(demo_folder, "ledger", "audit")

    assert audited.returncode == 0
    assert audited.stdout.endswith("no difference\n")


@pytest.mark.row("S24")
def test_outside_the_sandbox_there_are_no_demo_data(folder: Path) -> None:
    done = run_command(folder, "demo", **REAL, PAYMENTS_URL="stripe://none")

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    with closing(sqlite3.connect(folder / "app.sqlite3")) as database:
        assert database.execute("select count(*) from accounts").fetchone() == (0,)


def test_an_audit_of_a_day_compares_the_processors_books_too(demo_folder: Path) -> None:
    today = day_of(datetime.now(UTC)).isoformat()

    agreed = run_command(demo_folder, "ledger", "audit", "--on", today)
    (demo_folder / "processor.sqlite3").unlink()
    lost = run_command(demo_folder, "ledger", "audit", "--on", today)

    assert (agreed.returncode, agreed.stderr) == (0, "")
    assert agreed.stdout == f"the ledger, and the processor's books of {today}: no difference\n"
    assert lost.returncode == 1
    assert lost.stdout.startswith("Payment ")


def test_an_audit_that_finds_a_difference_names_it_and_ends_with_1(demo_folder: Path) -> None:
    with sqlite3.connect(demo_folder / "app.sqlite3") as books:
        books.execute("update balances set posted = posted + 1 where product = 'ADVANCE_CONNECT'")
    books.close()

    audited = run_command(demo_folder, "ledger", "audit")

    assert audited.returncode == 1
    assert len(audited.stdout.splitlines()) >= 2


def test_a_key_is_printed_once_and_its_name_is_taken_then(folder: Path) -> None:
    first, second = (run_command(folder, "key", "add", "switch", "--role", "PHONE_SWITCH") for _ in range(2))

    assert first.returncode == 0
    assert len(first.stdout.strip()) >= 32
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == "there is a key named switch already\n"


@pytest.mark.rule("39")
def test_staff_are_made_reset_disabled_and_enabled_with_passwords_from_standard_input(folder: Path) -> None:
    def staff(act: str, email: str, password: str = "", *options: str) -> tuple[int, str]:
        done = run_command(folder, "staff", act, email, *options, typed=f"{password}\n")
        assert password not in (done.stdout + done.stderr) or not password
        return done.returncode, done.stdout + done.stderr

    roles = ("--role", "ADMIN", "--role", "COMPLIANCE")
    made, again = (staff("add", AGENT, PASSWORD, *roles) for _ in range(2))
    weak = staff("add", "other@example.org", "weak", *roles)
    with closing(sqlite3.connect(folder / "app.sqlite3")) as database:
        members = database.execute("select email, name, roles, password_hash from staff_members").fetchall()
    lost = staff("reset", AGENT, NEW_PASSWORD)
    disabled, off, enabled = staff("disable", AGENT), staff("reset", AGENT, NEW_PASSWORD), staff("enable", AGENT)
    with closing(sqlite3.connect(folder / "app.sqlite3")) as database:
        after = database.execute("select password_hash, disabled_at from staff_members").fetchall()

    assert [status for status, _ in (made, again, weak)] == [0, 1, 1], made
    assert "at least 8 characters" in weak[1]
    assert [(email, name, roles) for email, name, roles, _ in members] == [(AGENT, "agent", '["ADMIN", "COMPLIANCE"]')]
    assert members[0][3].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert [status for status, _ in (lost, disabled, enabled)] == [0, 0, 0], lost
    assert off == (1, "This member of staff is disabled. Please enable them first.\n")
    assert after[0][0] != members[0][3]
    assert after[0][1] is None


@pytest.mark.rule("28")
def test_a_price_of_a_plan_is_announced_once_for_a_day(folder: Path) -> None:
    assert run_command(folder, "demo").returncode == 0
    listed = run_command(folder, "plan", "list")
    (line,) = (line for line in listed.stdout.splitlines() if line.endswith("Unlimited video visits"))
    plan_id = line.split()[0]
    since = f"{datetime.now(UTC).year + 1}-01-01"

    announced, again, wrong = (
        run_command(folder, "plan", "price", plan_id, price, "--from", since) for price in ("34.99", "34.99", "34.999")
    )

    assert line == f"{plan_id}  $29.99  Mesa County Detention Center: Unlimited video visits"
    assert announced.stdout == f"announced; new subscribers pay it from {since} on, the others when their mails say\n"
    assert (announced.returncode, again.returncode, wrong.returncode) == (0, 1, 1)
    assert (again.stderr, wrong.stderr) == (
        "a price was announced for that day already\n", "more than 2 decimal places\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("named", "settings", "options"),
    [
        ("SANDBOX", {}, ["--host", "0.0.0.0"]),
        ("MAIL_URL", {"MAIL_URL": "smtp://mail.example.com:25"}, []),
        ("SECRET_KEY", {"SANDBOX": "off"}, []),
        ("PAYMENTS_URL", REAL, []),
        ("PAYMENTS_URL", {**REAL, "PAYMENTS_URL": "nonsense://secret-key"}, []),
        ("PAYMENTS_URL", {**REAL, "PAYMENTS_URL": "stripe://sk_live_secret-key"}, []),
        ("STRIPE_API_BASE", {**REAL, "STRIPE_API_BASE": "http://stripe.example.com"}, []),
        ("SANDBOX", {"SANDBOX": "perhaps"}, []),
        ("DATABASE_URL", {"DATABASE_URL": "mysql://localhost/app"}, []),
        ("DATABASE_URL", {"DATABASE_URL": "postgres://u:hidden-pass@127.0.0.1:1/app"}, []),
        ("BROADCAST_URL", {"BROADCAST_URL": "soap://localhost"}, []),
        ("BROADCAST_URL", {"BROADCAST_URL": "redis://:hidden-pass@127.0.0.1:1"}, []),
        ("PUBLIC_URL", {"PUBLIC_URL": "pay.example.com"}, []),
        ("DATABASE_URL", {}, ["--workers", "2"]),
        ("BROADCAST_URL", {"DATABASE_URL": "postgres://u@127.0.0.1:1/app"}, ["--workers", "2"]),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(
    folder: Path, named: str, settings: dict[str, str], options: list[str]
) -> None:
    done = run_command(folder, "serve", "--port", "1", *options, **settings)

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert named in done.stderr
    assert "hidden-pass" not in done.stderr
    assert "secret-key" not in done.stderr


def test_a_database_that_was_a_sandbox_is_served_by_nothing_else(demo_folder: Path) -> None:
    done = run_command(demo_folder, "ledger", "audit", **REAL, PAYMENTS_URL="stripe://none")

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "DATABASE_URL: a sandbox used this database" in done.stderr


def test_an_empty_database_is_not_served_before_it_is_migrated(tmp_path: Path) -> None:
    done = run_command(tmp_path, "worker")

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "python -m api migrate" in done.stderr


@pytest.fixture
def own_server(folder: Path) -> Iterator[LiveServer]:
    with live_server(folder) as server:
        yield server


async def test_a_server_that_is_told_to_end_closes_its_sockets_and_ends_in_good_order(own_server: LiveServer) -> None:
    async with Api(own_server.url) as api:
        api.token = await sign_in(api)
        async with api.socket() as idle, api.socket() as busy:
            await (await busy.subscribe(BALANCE_CHANGED)).next()

            ending = asyncio.create_task(asyncio.to_thread(own_server.end))

            assert await idle.closed() in (1001, 1012)
            assert await busy.closed() in (1001, 1012)
            assert await ending == 0
    assert "Traceback" not in own_server.log.read_text()


def test_a_worker_of_its_own_refuses_a_broadcast_that_nobody_else_hears(folder: Path) -> None:
    refused = run_command(folder, "worker", BROADCAST_URL="memory://")

    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "BROADCAST_URL" in refused.stderr


@pytest.mark.redis
def test_a_worker_that_is_told_to_end_ends_in_good_order(folder: Path, redis_url: str) -> None:
    settings = {"DATABASE_URL": f"sqlite://{folder}/app.sqlite3", "BROADCAST_URL": redis_url}
    worker = Process(folder, ["worker"], settings)
    worker.start()
    try:
        worker.wait_for_log("the worker has begun")
        assert worker.end() == 0
    finally:
        worker.kill()
    assert signal.SIGTERM.name not in worker.log.read_text()
