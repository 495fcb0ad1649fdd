"""The pieces of SQL that reads, folds and checks of totals share, each written once.

`$1` is the account wherever an account is asked for. Hours and months are those of UTC, whatever
the session's time zone.
"""

from typing import Final


def fill(sql: str, **pieces: str) -> str:
    """Return SQL with its `{name}`s replaced by pieces of ours; never by what came from outside."""
    for name, piece in pieces.items():
        sql = sql.replace("{" + name + "}", piece)
    return sql


NOT_VOIDED: Final = """NOT EXISTS (
        SELECT FROM usage_voids v WHERE v.account_id = e.account_id AND v.key = e.key)"""
COUNTS: Final = fill(
    """(m.filters IS NULL OR usage_matches(m.filters, e.properties))
      AND {not_voided}""",
    not_voided=NOT_VOIDED,
)
VALUE: Final = """
        usage_number(m.aggregation, m.property, m.program, m.allow_negative, e.properties)"""
UNIQUE: Final = "usage_unique(m.property, e.properties)"
IS_THERE: Final = """
        CASE WHEN e.properties ->> 'operation_type' = 'remove' THEN 0 ELSE 1 END"""

# An event's value as the state of an hour that holds it alone. What a meter's aggregation does not
# need stays NULL: most meters are sums.
AS_STATE: Final = """
    1 AS event_count, c.value AS total, c.value AS low, c.value AS high,
    CASE WHEN c.aggregation = 'latest' THEN ROW(c.at, c.key, c.value)::usage_point END AS last,
    CASE WHEN c.aggregation = 'weighted_sum'
         THEN c.value * extract(epoch FROM c.hour + interval '1 hour' - c.at) END AS held"""
# Many events of one hour; `c.value` is never NULL here.
GATHERED: Final = """
    count(*) AS event_count, sum(c.value) AS total,
    min(c.value) FILTER (WHERE c.aggregation = 'min') AS low,
    max(c.value) FILTER (WHERE c.aggregation = 'max') AS high,
    usage_last(ROW(c.at, c.key, c.value)::usage_point) FILTER (WHERE c.aggregation = 'latest')
        AS last,
    sum(c.value * extract(epoch FROM c.hour + interval '1 hour' - c.at))
        FILTER (WHERE c.aggregation = 'weighted_sum') AS held"""
# The same where no meter needs more than a number and a sum, a tenth cheaper.
SUMMED: Final = """
    count(*) AS event_count, sum(c.value) AS total, NULL::numeric AS low, NULL::numeric AS high,
    NULL::usage_point AS last, NULL::numeric AS held"""
MERGED: Final = """
    sum(event_count)::bigint AS event_count, sum(total) AS total, min(low) AS low,
    max(high) AS high, usage_last(last) AS last"""
