"""What `tallystick rate` does between its input and its output."""

import os
import sys
from typing import BinaryIO

from tallystick.pricing.cases import answers


def rate_cases(lines: BinaryIO, out: BinaryIO, locale: str | None) -> bool:
    """Write an answer for each line as soon as it is read; False if any was refused.

    Who reads may stop early, as `head` does. Raises UnknownLocale.
    """
    refused_count = 0
    try:
        for answer in answers(lines, locale):
            refused_count += not answer.is_rated
            out.write(answer.text + b"\n")
            out.flush()
    except BrokenPipeError:
        # Nobody reads on. What is still buffered must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return not refused_count
