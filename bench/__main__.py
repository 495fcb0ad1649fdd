"""`make bench`: all figures in one run, or those of some parts.

Ratios are to pgbench's TPC-B or to psql's copy on the same server, in the same run. On a machine
that does other things too, pgbench with its many processes loses more than we do: run it alone.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from rich.console import Console
from rich.table import Table

from bench import (
    billing,
    credits,  # noqa: A004 - the part is called so
    documents,
    entitlements,
    exports,
    ingest,
    ledger,
    payments,
    rates,
    time_travel,
    usage_check,
    usage_import,
    usage_reads,
    webhooks,
    what_if,
)
from bench.figures import Figure, tpcb_figure
from bench.installation import Installation, installation

BOOKS: Final = frozenset({"ledger", "credits"})


def main() -> int:
    """Measure and print."""
    asked = _arguments().parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console(stderr=True)
    console.print("bringing an installation up …")
    with installation() as place:
        figures = _figures(place, asked, console)
    table = Table("what", "figure", "ratio", title="Tallystick")
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.ratio)
    Console().print(table)
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=_parts, default=tuple(PARTS), help=", ".join(PARTS))
    parser.add_argument("--events", type=int, default=200_000, help="events for each batch size")
    parser.add_argument("--reads", type=int, default=5_000, help="reads of usage/current")
    parser.add_argument(
        "--usage-events", type=int, default=1_000_000,
        help="read usage/current behind so many events too (10000000 takes minutes)",
    )  # fmt: skip
    parser.add_argument(
        "--entries", type=int, default=0,
        help="debit again behind so many more entries in the books (10000000 takes minutes)",
    )  # fmt: skip
    parser.add_argument("--access-checks", type=int, default=5_000, help="checks of access")
    parser.add_argument("--previews", type=int, default=2_000, help="previews of a change")
    parser.add_argument(
        "--travellers", type=int, default=1_000, help="accounts that are advanced by a year"
    )
    parser.add_argument(
        "--subscriptions", type=_sizes, default=(10_000, 100_000),
        help="sizes of the billing run, the smallest first",
    )  # fmt: skip
    parser.add_argument("--export-lines", type=int, default=1_000_000, help="lines exported")
    parser.add_argument("--webhooks", type=int, default=5_000, help="webhooks received")
    parser.add_argument("--payments", type=int, default=3_000, help="payments through a gateway")
    parser.add_argument(
        "--rollups", type=int, default=1_000_000, help="rows of roll-ups under the what-if"
    )
    return parser


def _parts(text: str) -> tuple[str, ...]:
    wanted = tuple(text.split(","))
    unknown = ", ".join(sorted({*wanted} - {*PARTS}))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such part: {unknown}")
    return wanted


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


def _figures(place: Installation, asked: argparse.Namespace, console: Console) -> list[Figure]:
    figures, best = [], 0.0
    if BOOKS & {*asked.only}:
        console.print("pgbench …")
        best = ledger.tpcb(place.dsn)
        figures.append(tpcb_figure(best))
    for name, part in PARTS.items():
        if name in asked.only:
            figures += part(place, asked, console, best)
    return figures


Part = Callable[[Installation, argparse.Namespace, Console, float], list[Figure]]
"""Measures; the last argument is pgbench's best, 0 when no part needs it."""


def _start(place: Installation, *_: object) -> list[Figure]:
    return [Figure("start: serve to the first 200", f"{place.start_seconds:.2f} s", "")]


def _ledger(place: Installation, _: object, console: Console, best: float) -> list[Figure]:
    return ledger.measure(place, best, console)


def _credits(
    place: Installation, asked: argparse.Namespace, console: Console, best: float
) -> list[Figure]:
    return credits.measure(place, best, asked.entries, console)


def _ingest(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    figures = []
    for batch, connections in ingest.BATCHES:
        console.print(f"ingest, batches of {batch}, {connections} connections …")
        figures += ingest.measure(place, asked.events, batch, connections)
    console.print("psql \\copy of the same rows …")
    figures += ingest.compare(place, asked.events, figures)
    console.print("single events …")
    return figures + ingest.measure_single(place)


def _reads(_: object, asked: argparse.Namespace, console: Console, __: float) -> list[Figure]:
    console.print("reads, on an installation of their own …")
    return usage_reads.measure(asked.reads, asked.usage_events, console)


def _checks(place: Installation, _: object, console: Console, __: float) -> list[Figure]:
    console.print("checks against limits …")
    return usage_check.measure(place)


def _entitlements(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    console.print("checks of access …")
    return entitlements.measure(place, asked.access_checks)


def _import(place: Installation, _: object, console: Console, __: float) -> list[Figure]:
    console.print("import of files …")
    return usage_import.measure(place)


def _documents(place: Installation, _: object, console: Console, __: float) -> list[Figure]:
    console.print("documents …")
    return documents.measure(place, console)


def _rates(_: Installation, __: object, console: Console, ___: float) -> list[Figure]:
    console.print("ratings by each model …")
    return rates.measure()


def _previews(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    console.print("previews …")
    return time_travel.measure_previews(place, asked.previews)


def _advance(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    console.print(f"advancing {asked.travellers:,} accounts by a year …")
    return time_travel.measure_advance(place, asked.travellers)


def _what_if(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    return what_if.measure(place, asked.rollups, console)


def _billing(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    return billing.measure(place, asked.subscriptions, console)


def _exports(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    console.print(f"CSV export of {asked.export_lines:,} lines …")
    return exports.measure(place, asked.export_lines)


def _webhooks(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    return webhooks.measure(place, asked.webhooks, console)


def _payments(
    place: Installation, asked: argparse.Namespace, console: Console, _: float
) -> list[Figure]:
    return payments.measure(place, asked.payments, console)


def _resident(place: Installation, *_: object) -> list[Figure]:
    return [
        Figure(f"resident: {name}", f"{place.resident_mb(process):.0f} MB", "")
        for name, process in (("server", place.server), ("worker", place.worker))
    ]


PARTS: Final[Mapping[str, Part]] = {
    "start": _start,
    "ingest": _ingest,
    "reads": _reads,
    "checks": _checks,
    "entitlements": _entitlements,
    "import": _import,
    "documents": _documents,
    "rates": _rates,
    "what-if": _what_if,
    "previews": _previews,
    "advance": _advance,
    "billing": _billing,
    "exports": _exports,
    "webhooks": _webhooks,
    "payments": _payments,
    "resident": _resident,
    "ledger": _ledger,
    "credits": _credits,
}


if __name__ == "__main__":
    sys.exit(main())
