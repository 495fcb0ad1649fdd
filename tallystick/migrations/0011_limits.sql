-- What an account may use, where it differs from its plan, and what was asked and answered.

-- Takes the place of the plan's limit on the same meter and `per`; `quantity` NULL: no limit.
CREATE TABLE account_limits (
    account_id uuid NOT NULL REFERENCES accounts,
    meter_id uuid NOT NULL REFERENCES meters,
    per text NOT NULL CHECK (per IN ('period', 'day', 'minute')),
    quantity numeric CHECK (quantity >= 0),
    kind text NOT NULL CHECK (kind IN ('hard', 'soft')),
    reason text NOT NULL,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, meter_id, per)
);
CALL protect_tenant_table('account_limits');
REVOKE INSERT, UPDATE, DELETE ON account_limits FROM tallystick_account;
CALL audit_table('account_limits');

-- One row for each account and meter under a limit: whoever decides whether usage passes locks it.
-- Counters outside the database (Redis) hold the `epoch` they were filled in; what was decided by
-- them is written only while it is still the same and `is_outside`.
CREATE TABLE usage_counters (
    account_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    is_outside boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, meter_id)
);
CALL protect_tenant_table('usage_counters');
REVOKE INSERT, UPDATE, DELETE ON usage_counters FROM tallystick_account;

-- The answer to an event that was checked and recorded in one call, by the event's key, so that
-- the same event gets the same answer. A refusal stands until `until`, the end of what refused it.
CREATE TABLE usage_decisions (
    account_id uuid NOT NULL,
    key uuid NOT NULL,
    content bytea NOT NULL,
    is_allowed boolean NOT NULL,
    answer jsonb NOT NULL,
    until timestamptz,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX usage_decisions_by_age ON usage_decisions (decided_at);
CALL protect_tenant_table('usage_decisions');
REVOKE INSERT, UPDATE, DELETE ON usage_decisions FROM tallystick_account;
