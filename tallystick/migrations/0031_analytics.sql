-- What staff look at across our own books and what lives at gateways. Read with the reader's own
-- rights, which accounts do not have.
CREATE VIEW all_subscriptions WITH (security_invoker = true) AS
SELECT account_id, 'tallystick' AS source, subscription_id, NULL::text AS reference,
    schedule_owner AS gateway, status, currency, plan_version_id, quantity, NULL::text AS tier,
    NULL::bigint AS amount_minor, NULL::numeric AS monthly_minor, NULL::text AS interval,
    NULL::integer AS interval_count, period_start, period_end, trial_ends_at, cancel_at_period_end,
    created_at
FROM subscriptions
UNION ALL
SELECT account_id, gateway, NULL, reference, gateway, status, currency, NULL, 1, tier,
    amount_minor, monthly_minor, interval, interval_count, period_start, period_end,
    trial_ends_at, cancel_at_period_end, created_at
FROM mirrored_subscriptions;
GRANT SELECT ON all_subscriptions TO tallystick_staff;

CREATE VIEW all_charges WITH (security_invoker = true) AS
SELECT account_id, 'tallystick' AS source, payment_id, NULL::text AS reference, gateway, status,
    currency, amount_minor, NULL::text AS description, created_at
FROM payments
UNION ALL
SELECT account_id, gateway, NULL, reference, gateway,
    CASE WHEN refunded_minor = 0 THEN status
         WHEN refunded_minor < amount_minor THEN 'partially_refunded' ELSE 'refunded' END,
    currency, amount_minor, description, created_at
FROM mirrored_charges;
GRANT SELECT ON all_charges TO tallystick_staff;
