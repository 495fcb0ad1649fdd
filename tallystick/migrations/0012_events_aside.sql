-- Usage events that are not counted: what matched nobody, and what contradicts a stored event.

-- Parked: the account or the meter was not known when the event came. `account_id` is the account
-- where that was known, else the house (zeros). `digest` is over all of the event, so that a resent
-- event is parked once, and two events of one id are both kept until it is known what they are.
CREATE TABLE usage_unmatched (
    account_id uuid NOT NULL,
    unmatched_event_id uuid NOT NULL,
    digest uuid NOT NULL,
    subject text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL, -- '' where the event names a meter instead
    meter text,
    stated_at timestamptz, -- the event's own instant; NULL: when it was received
    received_at timestamptz NOT NULL,
    properties jsonb NOT NULL,
    reason text NOT NULL,
    status text NOT NULL DEFAULT 'parked' CHECK (status IN ('parked', 'claimed', 'discarded')),
    settled_at timestamptz,
    claimed_account_id uuid,
    PRIMARY KEY (account_id, unmatched_event_id),
    UNIQUE (account_id, digest)
);
CREATE INDEX usage_unmatched_newest ON usage_unmatched (received_at DESC, unmatched_event_id DESC);
-- What may match by now: walked from one subject to the next, not row by row.
CREATE INDEX usage_unmatched_waiting ON usage_unmatched (subject, event_type, coalesce(meter, ''))
    WHERE status = 'parked' AND reason IN ('unknown_subject', 'unknown_type');
CREATE INDEX usage_unmatched_by_id ON usage_unmatched (unmatched_event_id);
CALL protect_tenant_table('usage_unmatched');
REVOKE INSERT, UPDATE, DELETE ON usage_unmatched FROM tallystick_account;
-- What staff decide is audited; that events come, match and grow too old is no person's work.
CREATE TRIGGER audited AFTER UPDATE ON usage_unmatched
    FOR EACH ROW EXECUTE FUNCTION write_audit();

-- Sent with the key of a stored event and other content: kept for staff, never counted.
CREATE TABLE usage_conflicts (
    account_id uuid NOT NULL,
    usage_conflict_id uuid NOT NULL,
    digest uuid NOT NULL,
    key uuid NOT NULL,
    at timestamptz NOT NULL,
    event_type text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    properties jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'dismissed')),
    settled_at timestamptz,
    PRIMARY KEY (account_id, usage_conflict_id),
    UNIQUE (account_id, digest)
);
CREATE INDEX usage_conflicts_newest ON usage_conflicts (received_at DESC, usage_conflict_id DESC);
CREATE INDEX usage_conflicts_by_id ON usage_conflicts (usage_conflict_id);
CALL protect_tenant_table('usage_conflicts');
REVOKE INSERT, UPDATE, DELETE ON usage_conflicts FROM tallystick_account;
CREATE TRIGGER audited AFTER UPDATE ON usage_conflicts
    FOR EACH ROW EXECUTE FUNCTION write_audit();
