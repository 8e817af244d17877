"""Run the benchmarks: `python -m bench [NAME ...]`, all of them when none is named (see NAMES).

PEERS names the folder of other servers to measure in the same run; ACCOUNTS, ROUNDS and SECONDS say how much is done.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import uvloop

from bench import account_read, beside_sign_ins, call_charge, live, payment
from bench.peers import Peers
from bench.seed import Seeded, check_ledger, seed
from tests.live_servers import LiveServer, live_server
from tests.servers import drop_database, postgres_server

NAMES = ("account-read", "call-charge", "payment", "sign-ins", "live")
DATABASE = "bench_product"


def main() -> None:
    """Measure what is named and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the service; nothing is judged.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; all when none is named")
    parser.add_argument("--accounts", type=int, default=int(os.environ.get("ACCOUNTS") or 5_000))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS") or 5))
    parser.add_argument("--seconds", type=int, default=3, help="that a round lasts")
    parser.add_argument("--peers", type=Path, default=os.environ.get("PEERS") or None)
    given = parser.parse_args()
    names = given.names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"there is no {unknown.pop()}")
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server_url = stack.enter_context(postgres_server())
        seeded = uvloop.run(seed(server_url, DATABASE, given.accounts))
        stack.callback(lambda: uvloop.run(drop_database(server_url, DATABASE)))
        peers = Peers(given.peers, work, server_url) if given.peers else None
        if peers:
            stack.callback(lambda: uvloop.run(drop_database(server_url, "bench_peers")))
        print(
            f"{given.accounts} accounts, {given.rounds} rounds of {given.seconds} s, {os.cpu_count()} cores,", end=" "
        )
        print(f"Python {platform.python_version()}; one process, SANDBOX=on, PostgreSQL without fsync\n")
        for name in names:
            print(f"### {name}\n\n{_measure(name, seeded, work, peers, given)}", flush=True)
        print("The ledger's audit afterwards:", uvloop.run(check_ledger(seeded.url)))


def _measure(name: str, seeded: Seeded, work: Path, peers: Peers | None, given: argparse.Namespace) -> str:
    folder = work / name
    folder.mkdir()

    def serve(**settings: str) -> AbstractContextManager[LiveServer]:
        return live_server(folder, DATABASE_URL=seeded.url, **settings)

    if name == "live":
        return uvloop.run(live.measure(serve, seeded, peers))
    if name == "sign-ins":
        with serve() as server:
            return uvloop.run(beside_sign_ins.measure(server, seeded, given.rounds, given.seconds))
    measures = {"account-read": account_read, "call-charge": call_charge, "payment": payment}
    with serve() as server:
        return uvloop.run(measures[name].measure(server, seeded, work, peers, given.rounds, given.seconds))


if __name__ == "__main__":
    main()
