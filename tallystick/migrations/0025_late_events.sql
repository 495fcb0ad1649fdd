-- Up to which transaction events were looked at for periods that are billed already: all before
-- `upto` were. Those before `next_upto` are looked at when every transaction before `next_after`
-- has ended: an invoice that did not see such an event is then committed.
CREATE TABLE usage_late_mark (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    upto xid8 NOT NULL,
    next_upto xid8 NOT NULL,
    next_after xid8 NOT NULL
);
INSERT INTO usage_late_mark (upto, next_upto, next_after) VALUES ('0', '0', '0');
CALL share_reference_table('usage_late_mark');
