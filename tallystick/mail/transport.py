"""The two ways out: a mail server (SMTP), or a folder of files for demos and tests."""

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit
from uuid import UUID

TIMEOUT_S: Final = 30.0
_PERMANENT: Final = 500
_PORTS: Final = {"smtp": 587, "smtps": 465}


class MailRefused(Exception):
    """The server will not take this mail, whenever it is sent; `code` is its three digits."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MailDelayed(Exception):
    """It was not taken now, or nobody knows; `code` is the server's, or says what happened."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Transport(Protocol):
    """Takes a message; raises MailRefused or MailDelayed."""

    async def send(self, mail_id: UUID, sender: str, to: Sequence[str], message: bytes) -> None:
        """Hand the message on to all of `to`, or to none."""


class Folder:
    """Writes each mail into a file `<id>.eml`, which mail programs open."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, mail_id: UUID, _: str, __: Sequence[str], message: bytes) -> None:
        """Write the file; the same mail again replaces it."""
        await asyncio.to_thread(self._write, mail_id, message)

    def _write(self, mail_id: UUID, message: bytes) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        part = self._path / f"{mail_id}.part"
        part.write_bytes(message)
        part.replace(self._path / f"{mail_id}.eml")


class Smtp:
    """Hands each mail to a server, on a connection of its own, in a thread."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    async def send(self, _: UUID, sender: str, to: Sequence[str], message: bytes) -> None:
        """Send it; what the server answers decides whether it may be tried again."""
        await asyncio.to_thread(self._send, sender, list(to), message)

    def _send(self, sender: str, to: list[str], message: bytes) -> None:
        try:
            with _connected(self._url) as server:
                # A server that refuses one of several addresses has taken the mail for the others:
                # to send it again would send it twice to them.
                server.sendmail(sender, to, message, _options(to))
        except smtplib.SMTPRecipientsRefused as error:
            raise _verdict(max(code for code, _ in error.recipients.values())) from error
        except smtplib.SMTPNotSupportedError as error:
            raise _unsupported(self._url, to) from error
        except smtplib.SMTPAuthenticationError as error:
            raise MailDelayed("sign_in_failed") from error
        except smtplib.SMTPResponseException as error:
            raise _verdict(error.smtp_code) from error
        except ssl.SSLError as error:
            raise MailDelayed("tls_failed") from error
        except (OSError, smtplib.SMTPException) as error:
            raise MailDelayed("server_unreachable") from error


def _options(to: Sequence[str]) -> tuple[str, ...]:
    return () if all(map(str.isascii, to)) else ("SMTPUTF8", "BODY=8BITMIME")


def _unsupported(url: SplitResult, to: Sequence[str]) -> MailRefused | MailDelayed:
    """Tell a server that knows no address in this script from one that has no TLS or sign-in."""
    if _options(to) and (is_plain(url) or url.scheme == "smtps"):
        return MailRefused("smtputf8_not_supported")
    return MailDelayed("tls_not_supported")


def _verdict(code: int) -> MailRefused | MailDelayed:
    """Five hundreds are for good (RFC 5321, section 4.2.1)."""
    return MailRefused(str(code)) if code >= _PERMANENT else MailDelayed(str(code))


def _connected(url: SplitResult) -> smtplib.SMTP:
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, port, timeout=TIMEOUT_S, context=ssl.create_default_context()
        )
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        if not is_plain(url):
            server.starttls(context=ssl.create_default_context())
    if url.username:
        server.login(unquote(url.username), unquote(url.password or ""))
    return server


def is_plain(url: SplitResult) -> bool:
    """Tell whether the address asks for no encryption: `?tls=none`."""
    return parse_qs(url.query).get("tls") == ["none"]


def transport_of(url: str) -> Transport:
    """Return the way out that an address names: `smtp://`, `smtps://` or `file://`."""
    parts = urlsplit(url)
    return Folder(Path(unquote(parts.path))) if parts.scheme == "file" else Smtp(url)
