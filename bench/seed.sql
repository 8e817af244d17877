-- Accounts with one AdvanceConnect service and its money, two cards, two plans, a phone and a sign-in each.
-- bench.accounts says how many. The token of account i is 'bench_' and the MD5 of 'token' and i; ids have UUIDv7's shape.
create function bench_id(kind int, i int) returns uuid language sql immutable as $$
  select (lpad(to_hex(1780000000000 + i), 12, '0') || '7' || lpad(to_hex(kind), 3, '0') || '8000' || lpad(to_hex(i), 12, '0'))::uuid
$$;

insert into accounts (id, status, email, email_key, email_verified_at, first_name, last_name, phone, line1, city, state, zip,
                      country, address_revision, locale, password_hash, password_changed_at, passcode_hash, terms_version,
                      terms_agreed_at, event_number, created_at)
select bench_id(1, i), 'ACTIVE', 'user' || i || '@example.com', 'user' || i || '@example.com', now(), 'First' || i, 'Last' || i,
       '+15052' || lpad(i::text, 6, '0'), i || ' Main Street', 'Santa Fe', 'NM', '87501', 'US', 1, 'en', 'none', now(), 'none',
       '2026-11', now(), 0, now()
  from generate_series(1, current_setting('bench.accounts')::int) i;

insert into service_accounts (id, account_id, product, number, status, open_key, opened_at)
select bench_id(2, i), bench_id(1, i), 'ADVANCE_CONNECT', lpad(i::text, 10, '0'), 'ACTIVE', bench_id(1, i) || ':ADVANCE_CONNECT', now()
  from generate_series(1, current_setting('bench.accounts')::int) i;

insert into account_phones (id, service_account_id, phone, live_phone, blocked, added_at)
select bench_id(3, i), bench_id(2, i), '+15052' || lpad(i::text, 6, '0'), '+15052' || lpad(i::text, 6, '0'), false, now() - interval '1 year'
  from generate_series(1, current_setting('bench.accounts')::int) i;

-- The money of each comes from one credit, so that the audit finds no difference.
insert into balances (id, service_account_id, account_id, product, unit, posted, held, incoming, credit_limit, may_be_negative,
                      revision, sequence, changed_at)
select bench_id(4, i), bench_id(2, i), bench_id(1, i), 'ADVANCE_CONNECT', 'USD_CENT', 1000000, 0, 0, 0, false, 1, 1, now()
  from generate_series(1, current_setting('bench.accounts')::int) i;

insert into ledger_accounts (id, kind, key, unit, balance_id) values
  (bench_id(5, 1), 'GOODWILL_EXPENSE', 'operator', 'USD_CENT', null), (bench_id(5, 2), 'CALL_REVENUE', 'operator', 'USD_CENT', null),
  (bench_id(5, 3), 'PROCESSOR_CLEARING', 'simulated', 'USD_CENT', null);
insert into ledger_accounts (id, kind, key, unit, balance_id)
select bench_id(6, i), 'PREPAID', bench_id(2, i)::text, 'USD_CENT', bench_id(4, i)
  from generate_series(1, current_setting('bench.accounts')::int) i;

insert into journal_entries (id, source_key, kind, balance_id, sequence, amount, balance_after, occurred_at, posted_at)
select bench_id(7, i), 'bench:' || i, 'CREDIT', bench_id(4, i), 1, 1000000, 1000000, now(), now()
  from generate_series(1, current_setting('bench.accounts')::int) i;
insert into legs (id, entry_id, debit_id, credit_id, amount, unit)
select bench_id(8, i), bench_id(7, i), bench_id(5, 1), bench_id(6, i), 1000000, 'USD_CENT'
  from generate_series(1, current_setting('bench.accounts')::int) i;

insert into payment_methods (id, account_id, processor, card_token, brand, last4, expiry_month, expiry_year, default_of, added_at)
select bench_id(8 + k, i), bench_id(1, i), 'simulated', 'bench-' || i || '-' || k, (array['Visa', 'Mastercard'])[k],
       lpad(((i * 7 + k) % 10000)::text, 4, '0'), 1 + (i + k) % 12, 2090, case when k = 1 then bench_id(1, i) end, now()
  from generate_series(1, current_setting('bench.accounts')::int) i, generate_series(1, 2) k;

insert into facilities (id, code, name, state, time_zone, products)
select bench_id(11, f), 'bench-' || f, 'Facility ' || f, 'NM', 'America/Denver', '["ADVANCE_CONNECT", "VIDEO_CONNECT"]'
  from generate_series(1, 300) f;
insert into plans (id, facility_id, product, name_en, name_es, price, unlimited)
select bench_id(12, f), bench_id(11, f), 'VIDEO_CONNECT', 'Unlimited video visits', 'Visitas por video sin límite', 2999, true
  from generate_series(1, 300) f;
insert into plan_subscriptions (id, account_id, plan_id, payment_method_id, status, price, period_start, period_end, renews_at, access_until)
select bench_id(12 + k, i), bench_id(1, i), bench_id(12, 1 + (i + k) % 300), bench_id(9, i), (array['ACTIVE', 'PAST_DUE'])[k], 2999,
       now(), now() + interval '30 days', now() + interval '30 days', now() + interval '30 days'
  from generate_series(1, current_setting('bench.accounts')::int) i, generate_series(1, 2) k;

insert into sign_ins (id, token_hash, account_id, in_browser, device, channel, created_at, last_seen_at, expires_at)
select bench_id(15, i), encode(sha256(convert_to('bench_' || md5('token' || i), 'UTF8')), 'hex'), bench_id(1, i), false,
       'bench', 'IOS',
       now(), now() + interval '1 hour', now() + interval '180 days'
  from generate_series(1, current_setting('bench.accounts')::int) i;

insert into api_keys (id, name, role, created_at) values (bench_id(16, 1), 'bench', 'PHONE_SWITCH', now());
insert into sign_ins (id, token_hash, key_id, in_browser, device, channel, created_at, last_seen_at)
values (bench_id(17, 1), encode(sha256(convert_to('bench_switch', 'UTF8')), 'hex'), bench_id(16, 1), false, '', 'SYSTEM', now(), now() + interval '1 hour');
