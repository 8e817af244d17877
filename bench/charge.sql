-- For pgbench: a charge's least work on the product's own tables, in one statement. It is what the database alone can do.
\set i random(1, :spread)
with b as (
  update balances set posted = posted - 10, revision = revision + 1, sequence = sequence + 1, changed_at = now()
   where service_account_id = bench_id(2, :i) returning id, posted, sequence),
e as (
  insert into journal_entries (id, source_key, kind, balance_id, sequence, amount, balance_after, occurred_at, posted_at)
  select gen_random_uuid(), gen_random_uuid()::text, 'CALL_CHARGE', id, sequence, -10, posted, now(), now() from b returning id)
insert into legs (id, entry_id, debit_id, credit_id, amount, unit)
select gen_random_uuid(), id, bench_id(6, :i), bench_id(5, 2), 10, 'USD_CENT' from e;
