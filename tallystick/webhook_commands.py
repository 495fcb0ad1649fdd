"""What `tallystick webhooks catch-up` does."""

from collections.abc import Callable
from datetime import datetime

from tallystick.app import open_services
from tallystick.kernel.logs import configure_logs
from tallystick.settings import Settings
from tallystick.webhooks.catch_up import Progress


async def catch_up_with(
    settings: Settings,
    dsn: str,
    gateway: str,
    since: datetime | None,
    *,
    show: Callable[[str], None],
) -> Progress:
    """List a gateway's events and store the new ones, with a line for each page.

    Raises what `CatchUp.run` raises.
    """
    configure_logs(json=settings.log_json, level=settings.log_level)

    def tell(progress: Progress) -> None:
        at = progress.since.isoformat(timespec="seconds")
        show(f"{progress.gateway}: {progress.listed} events listed since {at}, {progress.new} new")

    async with open_services(settings, dsn) as services:
        return await services.catch_up.run(gateway, since, tell)
