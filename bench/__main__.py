"""`make bench`: all figures in one run."""

import argparse
import asyncio
import sys

from rich.console import Console
from rich.table import Table

from bench import ingest, usage_reads
from bench.figures import Figure
from bench.installation import installation


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--events", type=int, default=200_000, help="events sent for each batch size"
    )
    parser.add_argument("--reads", type=int, default=5_000, help="reads of usage/current")
    asked = parser.parse_args()
    console = Console(stderr=True)
    with console.status("bringing an installation up"), installation() as place:
        figures = [Figure("start: serve to the first 200", f"{place.start_seconds:.2f} s", "")]
        for batch in (100, 1_000):
            console.print(f"ingest, batches of {batch} …")
            figures += ingest.measure(place, asked.events, batch)
        console.print("psql \\copy of the same rows …")
        figures += ingest.compare(place, asked.events, figures)
        console.print("reads …")
        figures += asyncio.run(usage_reads.measure(place, asked.reads))
        for name, process in (("server", place.server), ("worker", place.worker)):
            figures.append(Figure(f"resident: {name}", f"{place.resident_mb(process):.0f} MB", ""))
    table = Table("what", "figure", "ratio", title="Tallystick")
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.ratio)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
