"""The query of every list: `page` and `limit`, or a `cursor`."""

from typing import Annotated

from litestar.params import Parameter

from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, PageRequest, page_request

PageNumber = Annotated[int, Parameter(ge=1, le=PAGE_MAX, description="from 1")]
PageLimit = Annotated[int, Parameter(ge=1, le=100, description="1 to 100")]
PageCursor = Annotated[str | None, Parameter(description="`next_cursor` of the part before")]


def provide_page(
    page: PageNumber = 1, limit: PageLimit = LIMIT_DEFAULT, cursor: PageCursor = None
) -> PageRequest:
    """Return which part of a list is asked for; raises BadInput naming the parameter."""
    return page_request(page, limit, cursor)
