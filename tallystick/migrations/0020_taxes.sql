-- What taxes are where, and who is free of them.

CREATE TABLE tax_rates (
    tax_rate_id uuid PRIMARY KEY,
    country char(2) NOT NULL CHECK (country = upper(country)),
    -- ISO 3166-2 without the country; NULL: everywhere in it.
    region text CHECK (region ~ '^[A-Z0-9]{1,3}$'),
    -- What is sold; most of it is 'standard'.
    tax_code text NOT NULL CHECK (tax_code ~ '^[a-z][a-z0-9_]{0,62}$'),
    name text NOT NULL,
    percent numeric NOT NULL CHECK (percent BETWEEN 0 AND 100),
    -- UNCL5305.
    category text NOT NULL CHECK (category IN ('S', 'Z', 'E', 'AE', 'K', 'G', 'O')),
    -- What an invoice says where nothing is charged.
    reason text,
    -- Prices there contain it, unless they say otherwise.
    inclusive boolean NOT NULL,
    -- A region's rate that stands in place of the country's, not beside them.
    replaces_national boolean NOT NULL CHECK (NOT replaces_national OR region IS NOT NULL),
    -- Half-open, in days; NULL: no end is known.
    valid_from date NOT NULL,
    valid_until date CHECK (valid_until >= valid_from),
    source text NOT NULL,
    looked_up_on date NOT NULL,
    created_at timestamptz NOT NULL,
    -- One tax of one place and code has one rate a day. What names it is a range of one number, for
    -- ranges can be excluded without an extension.
    CONSTRAINT tax_rates_apart EXCLUDE USING gist (
        int8range(
            hashtextextended(country || '/' || coalesce(region, '') || '/' || tax_code || '/' || name, 0),
            hashtextextended(country || '/' || coalesce(region, '') || '/' || tax_code || '/' || name, 0),
            '[]') WITH &&,
        daterange(valid_from, valid_until) WITH &&)
);
CREATE INDEX tax_rates_by_country ON tax_rates (country, valid_from);
CALL share_reference_table('tax_rates');
REVOKE UPDATE, DELETE ON tax_rates FROM tallystick_writer;
GRANT UPDATE (valid_until) ON tax_rates TO tallystick_writer;
CALL audit_table('tax_rates');

-- The trigger binds the owner too.
CREATE FUNCTION keep_but_for_the_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.valid_until IS NOT NULL
        OR to_jsonb(OLD) - 'valid_until' <> to_jsonb(NEW) - 'valid_until' THEN
        RAISE EXCEPTION 'a row of % is only ended, once', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON tax_rates
    FOR EACH ROW EXECUTE FUNCTION keep_but_for_the_end();

CREATE TABLE tax_exemptions (
    account_id uuid NOT NULL REFERENCES accounts,
    tax_exemption_id uuid NOT NULL,
    -- As it is printed.
    reason text NOT NULL,
    certificate text,
    -- NULL: everywhere.
    country char(2) CHECK (country = upper(country)),
    region text CHECK (region ~ '^[A-Z0-9]{1,3}$'),
    valid_from date NOT NULL,
    valid_until date CHECK (valid_until >= valid_from),
    created_at timestamptz NOT NULL,
    CHECK (region IS NULL OR country IS NOT NULL),
    PRIMARY KEY (account_id, tax_exemption_id)
);
CALL protect_tenant_table('tax_exemptions');
REVOKE INSERT, UPDATE, DELETE ON tax_exemptions FROM tallystick_account;
REVOKE UPDATE, DELETE ON tax_exemptions FROM tallystick_writer;
GRANT UPDATE (valid_until) ON tax_exemptions TO tallystick_writer;
CALL audit_table('tax_exemptions');
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON tax_exemptions
    FOR EACH ROW EXECUTE FUNCTION keep_but_for_the_end();

-- What the authority says of an account's tax number, and when it is asked next.
CREATE TABLE tax_number_checks (
    account_id uuid PRIMARY KEY REFERENCES accounts,
    country char(2) NOT NULL,
    tax_number text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('confirmed', 'refused', 'unknown')),
    checked_at timestamptz,
    try_count integer NOT NULL CHECK (try_count >= 0),
    next_check_at timestamptz NOT NULL,
    CHECK (outcome = 'unknown' OR checked_at IS NOT NULL)
);
CALL protect_tenant_table('tax_number_checks');
REVOKE INSERT, UPDATE, DELETE ON tax_number_checks FROM tallystick_account;
CREATE INDEX tax_number_checks_due ON tax_number_checks (next_check_at);

-- Whatever writes a tax number, it is to be checked: nobody has to remember it.
CREATE FUNCTION want_tax_number_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    IF NEW.tax_number IS NULL THEN
        DELETE FROM tax_number_checks WHERE account_id = NEW.account_id;
    ELSE
        INSERT INTO tax_number_checks AS c
            (account_id, country, tax_number, outcome, try_count, next_check_at)
        VALUES (NEW.account_id, NEW.country, NEW.tax_number, 'unknown', 0, clock_timestamp())
        ON CONFLICT (account_id) DO UPDATE SET country = EXCLUDED.country,
            tax_number = EXCLUDED.tax_number, outcome = 'unknown', checked_at = NULL,
            try_count = 0, next_check_at = EXCLUDED.next_check_at
        WHERE (c.country, c.tax_number) <> (EXCLUDED.country, EXCLUDED.tax_number);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tax_number_written AFTER INSERT ON accounts
    FOR EACH ROW WHEN (NEW.tax_number IS NOT NULL) EXECUTE FUNCTION want_tax_number_check();
CREATE TRIGGER tax_number_rewritten AFTER UPDATE OF tax_number, country ON accounts
    FOR EACH ROW WHEN ((OLD.tax_number, OLD.country) IS DISTINCT FROM (NEW.tax_number, NEW.country))
    EXECUTE FUNCTION want_tax_number_check();
