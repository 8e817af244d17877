-- For pgbench: a payment's least work on the product's own tables, intent and outcome as two transactions.
\set i random(1, :spread)
with p as (
  insert into payments (id, account_id, service_account_id, method_id, purpose, channel, status, amount, total, lines,
                        processor, created_at)
  values (gen_random_uuid(), bench_id(1, :i), bench_id(2, :i), bench_id(9, :i), 'FUND_ADVANCE_CONNECT', 'CARD_ONLINE',
          'PROCESSING', 100, 100, '[]', 'simulated', now()) returning id),
k as (
  insert into idempotency_keys (id, scope, key, mutation, input_digest, result_id, created_at)
  select gen_random_uuid(), bench_id(1, :i), id::text, 'pay', '', id, now() from p),
h as (
  insert into holds (id, balance_id, kind, subject, amount, state, created_at)
  select gen_random_uuid(), bench_id(4, :i), 'PAYMENT', id, 100, 'PENDING', now() from p)
update balances set incoming = incoming + 100, revision = revision + 1, changed_at = now() where id = bench_id(4, :i);
with p as (
  select id from payments where status = 'PROCESSING' and service_account_id = bench_id(2, :i) limit 1 for update skip locked),
s as (update payments set status = 'SUCCEEDED', settled_at = now() where id in (select id from p)),
h as (update holds set state = 'POSTED', ended_at = now() where subject in (select id from p)),
b as (
  update balances set posted = posted + 100, incoming = incoming - 100, revision = revision + 1, sequence = sequence + 1,
         changed_at = now()
   where id = bench_id(4, :i) and exists (select 1 from p) returning id, posted, sequence),
e as (
  insert into journal_entries (id, source_key, kind, balance_id, sequence, amount, balance_after, payment_id, occurred_at,
                               posted_at)
  select gen_random_uuid(), 'payment:' || p.id, 'FUNDING', b.id, b.sequence, 100, b.posted, p.id, now(), now()
    from b, p returning id)
insert into legs (id, entry_id, debit_id, credit_id, amount, unit)
select gen_random_uuid(), id, bench_id(5, 3), bench_id(6, :i), 100, 'USD_CENT' from e;
