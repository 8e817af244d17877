# ruff: noqa: E501
"""The ledger's audit: every balance is recomputed from its postings and holds, by plain SQL that shares no code."""

from __future__ import annotations

from dataclasses import dataclass

from tortoise.transactions import in_transaction

from api.adapters.database import Row, dialect, execute, fetch, fetch_one

CREDIT_NORMAL = "('PREPAID', 'STAMPS', 'DEBIT_FUNDS')"
SHOWN_MAX = 1_000
_ID = "cast(r.id as varchar(36))"
_MOVES = "select credit_id as account_id, amount from legs union all select debit_id, -amount from legs"


@dataclass(frozen=True, slots=True)
class Audit:
    """What was looked at, and each difference in words; none is the only good answer."""

    balances: int
    entries: int
    holds: int
    differences: tuple[str, ...]


_CHECKS = (
    (
        "balance {id}: posted is {posted}, its postings sum to {found}",
        f"""select b.id, b.posted, coalesce(sum(case when a.kind in {CREDIT_NORMAL} then x.amount else -x.amount end), 0)
               as found
              from balances b
              left join ledger_accounts a on a.balance_id = b.id
              left join (select credit_id as account_id, amount from legs
                         union all select debit_id, -amount from legs) x on x.account_id = a.id
             group by b.id, b.posted
            having b.posted <> coalesce(sum(case when a.kind in {CREDIT_NORMAL} then x.amount else -x.amount end), 0)""",
    ),
    (
        "balance {id}: unbilled is {unbilled}, its postings sum to {found}",
        """select b.id, b.unbilled, coalesce(sum(x.amount), 0) as found
             from balances b
             left join ledger_accounts a on a.balance_id = b.id and a.kind = 'UNBILLED'
             left join (select debit_id as account_id, amount from legs
                        union all select credit_id, -amount from legs) x on x.account_id = a.id
            group by b.id, b.unbilled having b.unbilled <> coalesce(sum(x.amount), 0)""",
    ),
    (
        "balance {id}: held is {held}, its pending holds sum to {found}",
        """select b.id, b.held, coalesce(sum(h.amount), 0) as found
             from balances b left join holds h on h.balance_id = b.id and h.state = 'PENDING' and h.kind = 'CALL'
            group by b.id, b.held having b.held <> coalesce(sum(h.amount), 0)""",
    ),
    (
        "balance {id}: incoming is {incoming}, its payments under way sum to {found}",
        """select b.id, b.incoming, coalesce(sum(h.amount), 0) as found
             from balances b left join holds h on h.balance_id = b.id and h.state = 'PENDING' and h.kind = 'PAYMENT'
            group by b.id, b.incoming having b.incoming <> coalesce(sum(h.amount), 0)""",
    ),
    (
        "balance {id}: sequence is {sequence}, but there are {found} entries up to {last}",
        """select b.id, b.sequence, count(e.id) as found, coalesce(max(e.sequence), 0) as last
             from balances b left join journal_entries e on e.balance_id = b.id
            group by b.id, b.sequence
            having b.sequence <> count(e.id) or b.sequence <> coalesce(max(e.sequence), 0)""",
    ),
    (
        "balance {id}: its transactions sum to {found}, posted is {posted}",
        """select b.id, b.posted, coalesce(sum(e.amount), 0) as found
             from balances b left join journal_entries e on e.balance_id = b.id
            group by b.id, b.posted having b.posted <> coalesce(sum(e.amount), 0)""",
    ),
    (
        "entry {id}: balanceAfter is {balance_after}, the entries up to it sum to {found}",
        """select id, balance_after, found from (
             select id, balance_after, sum(amount) over (partition by balance_id order by sequence) as found
               from journal_entries where balance_id is not null) t where balance_after <> found""",
    ),
    ("entry {id}: it has no legs", "select id from journal_entries where id not in (select entry_id from legs)"),
    (
        "leg {id}: its unit is {unit}, those of its accounts are {d} and {c}",
        """select l.id, l.unit, a.unit as d, b.unit as c from legs l
             join ledger_accounts a on a.id = l.debit_id join ledger_accounts b on b.id = l.credit_id
            where l.unit <> a.unit or l.unit <> b.unit""",
    ),
    (
        "balance {id}: below zero without a chargeback",
        "select id from balances where posted < 0 and not may_be_negative and product <> 'DIRECT_BILL'",
    ),
    (
        "hold {id}: its payment is {status}, the hold {state}",
        """select h.id, p.status, h.state from holds h join payments p on p.id = h.subject
            where h.kind = 'PAYMENT' and ((p.status in ('PROCESSING', 'REQUIRES_ACTION')) <> (h.state = 'PENDING')
               or (p.status = 'FAILED' and h.state <> 'VOIDED'))""",
    ),
    (
        "payment {id}: it is {status}, but its funding entry is {found}",
        """select p.id, p.status, count(e.id) as found from payments p
             left join journal_entries e on e.payment_id = p.id
               and (e.source_key like 'payment:%' or e.source_key like 'external:%')
            group by p.id, p.status having (p.status in ('PROCESSING', 'REQUIRES_ACTION', 'FAILED')) <> (count(e.id) = 0)
               or count(e.id) > 1""",
    ),
    (
        "payment {id}: its total is {total}, of which {amount} is credited; its legs move {moved} and {credited}",
        """select p.id, p.total, p.amount, sum(l.amount) as moved,
               sum(case when c.kind in ('FEE_REVENUE', 'TAX_PAYABLE') then 0 else l.amount end) as credited
              from payments p join journal_entries e on e.source_key = 'payment:' || cast(p.id as text)
              join legs l on l.entry_id = e.id and l.unit = 'USD_CENT'
              join ledger_accounts c on c.id = l.credit_id
              join ledger_accounts d on d.id = l.debit_id and d.kind = 'PROCESSOR_CLEARING'
             group by p.id, p.total, p.amount
            having p.total <> sum(l.amount)
                or p.amount <> sum(case when c.kind in ('FEE_REVENUE', 'TAX_PAYABLE') then 0 else l.amount end)""",
    ),
    (
        "payment {id}: it bought {stamps} stamps, its legs issue {found}",
        """select p.id, p.stamps, coalesce(sum(l.amount), 0) as found from payments p
              join journal_entries e on e.source_key = 'payment:' || cast(p.id as text)
              left join legs l on l.entry_id = e.id and l.unit = 'STAMP'
             group by p.id, p.stamps having coalesce(p.stamps, 0) <> coalesce(sum(l.amount), 0)""",
    ),
    (
        "payment {id}: it is for a person in custody, its legs pay {found} of {amount} into that person's funds",
        """select p.id, p.amount, coalesce(sum(l.amount), 0) as found from payments p
              join service_accounts s on s.id = p.service_account_id
              join journal_entries e on e.source_key = 'payment:' || cast(p.id as text)
              left join ledger_accounts c on c.kind = 'DEBIT_FUNDS' and c.key = cast(s.incarcerated_person_id as text)
              left join legs l on l.entry_id = e.id and l.credit_id = c.id
             where p.purpose = 'FUND_DEBIT'
             group by p.id, p.amount having p.amount <> coalesce(sum(l.amount), 0)""",
    ),
    (
        "call {id}: it cost {cost}, its entry says {found}",
        """select id, cost, found from (
             select c.id, c.cost, coalesce(sum(case when b.product = 'DIRECT_BILL' then e.amount else -e.amount end), 0)
                    as found
               from calls c left join journal_entries e on e.call_id = c.id and e.kind = 'CALL_CHARGE'
               left join balances b on b.id = e.balance_id
              where c.cost is not null group by c.id, c.cost) t where cost <> found""",
    ),
    (
        "invoice {id}: its total is {total}, its entry says {found}",
        """select i.id, i.total, coalesce(sum(l.amount), 0) as found from invoices i
             left join journal_entries e on e.source_key = 'invoice:' || cast(i.id as text)
             left join legs l on l.entry_id = e.id
            group by i.id, i.total having i.total <> coalesce(sum(l.amount), 0)""",
    ),
    (
        "payment {id}: {found} of it is unapplied, as if its account were not what it is",
        """select p.id, coalesce(sum(case when l.credit_id = a.id then l.amount else -l.amount end), 0) as found
             from payments p
             left join ledger_accounts a on a.kind = 'UNAPPLIED_RECEIPTS' and a.key = cast(p.id as text)
             left join legs l on l.credit_id = a.id or l.debit_id = a.id
            where p.external_reference is not null group by p.id, p.amount, p.account_id
           having coalesce(sum(case when l.credit_id = a.id then l.amount else -l.amount end), 0)
                  <> case when p.account_id is null then p.amount else 0 end""",
    ),
    (
        "statement {id}: its closing is {closing}, its entries come to {found}",
        """select s.id, s.closing, s.opening + coalesce(sum(e.amount), 0) as found from statements s
             join balances b on b.service_account_id = s.service_account_id
             left join journal_entries e on e.balance_id = b.id and e.sequence between s.sequence_from and s.sequence_to
            group by s.id, s.closing, s.opening having s.closing <> s.opening + coalesce(sum(e.amount), 0)""",
    ),
    (
        "refund {id}: it is {status}, but {found} of it is in transit or outstanding",
        f"""select r.id, r.status, coalesce(sum(x.amount), 0) as found from refunds r
             join ledger_accounts a on a.key = {_ID} and a.kind in ('REFUNDS_IN_TRANSIT', 'CHECKS_OUTSTANDING')
             join ({_MOVES}) x on x.account_id = a.id
            where r.status in ('COMPLETED', 'REROUTED', 'HELD', 'NOTHING_DUE')
            group by r.id, r.status, a.kind having coalesce(sum(x.amount), 0) <> 0""",
    ),
    (
        "refund {id}: its amount is {amount}, what was set aside for it is {found}",
        f"""select r.id, r.amount, coalesce(sum(x.amount), 0) as found from refunds r
             left join ledger_accounts a on a.key = {_ID} and a.kind = 'REFUNDS_IN_TRANSIT'
             left join (select l.credit_id as account_id, l.amount from legs l
                          join ledger_accounts o on o.id = l.debit_id and o.kind <> 'PROCESSOR_CLEARING'
                        union all
                        select l.debit_id, -l.amount from legs l
                          join ledger_accounts o on o.id = l.credit_id
                           and o.kind in ('REFUNDS_IN_TRANSIT', 'CHARGEBACK_LOSS')) x
               on x.account_id = a.id
            group by r.id, r.amount, r.status
            having coalesce(sum(x.amount), 0) <> case when r.status = 'REROUTED' then 0 else r.amount end""",
    ),
    (
        "refund {id}: its amount is {amount}, its parts sum to {found}",
        """select r.id, r.amount, coalesce(sum(p.amount), 0) as found from refunds r
             left join refund_parts p on p.refund_id = r.id and p.status <> 'REFUSED'
            where r.method = 'CARD' and r.status not in ('SETTLING', 'REROUTED', 'NOTHING_DUE')
            group by r.id, r.amount having r.amount <> coalesce(sum(p.amount), 0)""",
    ),
    (
        "payment {id}: it brought {amount}, but {found} goes back against it",
        """select p.id, p.amount, sum(r.amount) as found from payments p
             join refund_parts r on r.payment_id = p.id and r.status <> 'REFUSED'
            group by p.id, p.amount having sum(r.amount) > p.amount""",
    ),
    (
        "refund {id}: its revision is {revision}, but its timeline has {found} lines up to {last}",
        """select r.id, r.revision, count(e.id) as found, coalesce(max(e.sequence), 0) as last from refunds r
             left join refund_events e on e.refund_id = r.id
            group by r.id, r.revision
            having r.revision <> count(e.id) or r.revision <> coalesce(max(e.sequence), 0)""",
    ),
    (
        "held funds {id}: they are {state} and {amount}, the books hold {found}",
        f"""select r.id, r.state, r.amount, coalesce(sum(x.amount), 0) as found from held_funds r
             left join ledger_accounts a on a.key = {_ID} and a.kind = 'HELD_FUNDS'
             left join ({_MOVES}) x on x.account_id = a.id
            group by r.id, r.state, r.amount
            having coalesce(sum(x.amount), 0) <> case when r.state = 'HELD' then r.amount else 0 end""",
    ),
    (
        "account {id}: its event number is {event_number}, its last event is {found}",
        """select a.id, a.event_number, coalesce(max(o.number), 0) as found from accounts a
             left join outbox_events o on o.account_id = a.id
            group by a.id, a.event_number having a.event_number < coalesce(max(o.number), 0)""",
    ),
)


async def audit() -> Audit:
    """Recompute everything; at most a thousand differences of each kind are told. Each check is one statement, so it
    sees the books as they were at one moment, also while they are written. It may take as long as it takes."""
    if dialect() == "postgres":
        async with in_transaction("default"):
            await execute("set local statement_timeout = 0")
            return await _audit()
    return await _audit()


async def _audit() -> Audit:
    differences = []
    for text, query in _CHECKS:
        rows = await fetch(f"{query} limit {SHOWN_MAX}")
        differences += [text.format_map({name: row[name] for name in dict(row)}) for row in rows]
    return Audit(
        await _count("select count(*) as n from balances"),
        await _count("select count(*) as n from journal_entries"),
        await _count("select count(*) as n from holds where state = 'PENDING'"),
        tuple(differences),
    )


async def _count(query: str) -> int:
    row: Row | None = await fetch_one(query)
    return int(row["n"]) if row else 0
