-- Usage on its way to Stripe's billing meters: hourly sums, each told once.

-- Which of our meters goes to which of Stripe's; `formula` is how Stripe adds up (sum or last), the
-- keys are what an event calls its customer and its value there. Hours before `sends_from` are not
-- sent.
CREATE TABLE stripe_meters (
    meter_id uuid PRIMARY KEY REFERENCES meters,
    event_name text NOT NULL UNIQUE,
    reference text NOT NULL,
    formula text NOT NULL CHECK (formula IN ('sum', 'last')),
    customer_key text NOT NULL,
    value_key text NOT NULL,
    sends_from timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON stripe_meters TO tallystick_writer;
GRANT SELECT ON stripe_meters TO tallystick_staff;
CALL audit_table('stripe_meters');

-- One row: who sends at the moment, when to try again, how it went. Events of transactions before
-- `upto` were looked at. Instants are wall time.
CREATE TABLE stripe_meter_sync (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    upto xid8 NOT NULL DEFAULT '0',
    -- Sending takes a lease, for no transaction is open meanwhile; the number names it.
    lease_no bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT 'epoch',
    next_try_at timestamptz NOT NULL DEFAULT 'epoch',
    failure_count integer NOT NULL DEFAULT 0,
    last_sent_at timestamptz,
    last_error text,
    last_error_at timestamptz
);
INSERT INTO stripe_meter_sync DEFAULT VALUES;
GRANT SELECT, UPDATE ON stripe_meter_sync TO tallystick_writer;
GRANT SELECT ON stripe_meter_sync TO tallystick_staff;

-- Hours (UTC) whose usage changed: what was sent of them is to be held against their totals.
CREATE TABLE stripe_meter_hours (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL REFERENCES meters,
    hour timestamptz NOT NULL,
    look_after timestamptz NOT NULL,
    PRIMARY KEY (account_id, meter_id, hour)
);
CREATE INDEX stripe_meter_hours_due ON stripe_meter_hours (look_after);
CALL protect_tenant_table('stripe_meter_hours');
REVOKE INSERT, UPDATE, DELETE ON stripe_meter_hours FROM tallystick_account;

-- What Stripe is told, one event a row, and what became of it. The id is the event's identifier.
CREATE TABLE stripe_meter_events (
    account_id uuid NOT NULL,
    stripe_meter_event_id uuid NOT NULL,
    meter_id uuid NOT NULL REFERENCES meters,
    -- Stripe's meter and the name of its events, as they were then.
    reference text NOT NULL,
    event_name text NOT NULL,
    hour timestamptz NOT NULL,
    -- Counted up within the hour: what came late, or was told anew.
    revision integer NOT NULL CHECK (revision > 0),
    value numeric NOT NULL,
    -- The event's own time, within its hour.
    at timestamptz NOT NULL,
    customer text,
    status text NOT NULL CHECK (status IN ('parked', 'queued', 'unknown', 'sent', 'refused',
        'held', 'canceling', 'canceled', 'replaced', 'settled')),
    reason text,
    created_at timestamptz NOT NULL,
    try_after timestamptz NOT NULL,
    try_count integer NOT NULL DEFAULT 0,
    first_tried_at timestamptz,
    sent_at timestamptz,
    PRIMARY KEY (account_id, stripe_meter_event_id),
    UNIQUE (account_id, meter_id, hour, revision),
    CHECK (value >= 0 OR status IN ('held', 'replaced', 'settled'))
);
-- A report of Stripe's names events by nothing else.
CREATE INDEX stripe_meter_events_by_id ON stripe_meter_events (stripe_meter_event_id);
CREATE INDEX stripe_meter_events_due ON stripe_meter_events (try_after)
    WHERE status IN ('parked', 'queued', 'unknown', 'canceling');
CREATE INDEX stripe_meter_events_open ON stripe_meter_events (status, created_at)
    WHERE status IN ('parked', 'queued', 'unknown', 'refused', 'held', 'canceling');
CALL protect_tenant_table('stripe_meter_events');
REVOKE INSERT, UPDATE, DELETE ON stripe_meter_events FROM tallystick_account;

-- What a person found out about an event, or did about it at Stripe.
CREATE TABLE stripe_meter_decisions (
    account_id uuid NOT NULL,
    stripe_meter_event_id uuid NOT NULL,
    decided_at timestamptz NOT NULL,
    decision text NOT NULL CHECK (decision IN ('counted', 'not_counted', 'settled')),
    reason text NOT NULL,
    PRIMARY KEY (account_id, stripe_meter_event_id, decided_at)
);
CALL protect_tenant_table('stripe_meter_decisions');
REVOKE INSERT, UPDATE, DELETE ON stripe_meter_decisions FROM tallystick_account;
CALL audit_table('stripe_meter_decisions');

-- Stripe's reports of what it does not count; it names some of the events, not always all.
CREATE TABLE stripe_meter_reports (
    report text NOT NULL,
    code text NOT NULL,
    reference text,
    event_count integer NOT NULL,
    named_count integer NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (report, code)
);
GRANT SELECT, INSERT ON stripe_meter_reports TO tallystick_writer;
GRANT SELECT ON stripe_meter_reports TO tallystick_staff;
