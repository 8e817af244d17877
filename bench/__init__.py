"""How fast the service is: reading an account, charging calls, telling live sockets. Benchmarks never gate.

`make bench` measures the service and, with pgbench, its database. `make bench PEERS=path` measures other servers that
do the same work in the same run; compare ratios within a table only, since absolute numbers move with the machine.
"""
