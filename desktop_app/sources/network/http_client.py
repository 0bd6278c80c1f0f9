"""Asks for what an http(s) address gives: bounded, without surprises for passwords, and ready to be interrupted."""

from __future__ import annotations

import warnings
from contextlib import suppress
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import (
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    Request,
    getproxies,
    parse_http_list,
    parse_keqv_list,
    proxy_bypass,
)

import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, NewConnectionError
from urllib3.exceptions import TimeoutError as HttpTimeoutError
from urllib3.response import BaseHTTPResponse

from desktop_app.messages import Message
from desktop_app.sources.base import SourceError, SourceStalledError
from desktop_app.sources.network.addresses import redact_url, split_credentials

_MAX_REDIRECTS: Final = 5
_CHUNK_BYTES: Final = 1 << 16
_HEADERS: Final = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "Agelens"}

# Cameras sign their certificates themselves; FFmpeg, which reads all other streams, does not check them either.
warnings.filterwarnings("ignore", category=InsecureRequestWarning)


class HttpResponse:
    """An answer whose bytes come as they arrive; see `request`.

    Args:
        response: of urllib3, not read yet.
        name: the address without its password, for messages.
    """

    def __init__(self, response: BaseHTTPResponse, name: str) -> None:
        self.name = name
        self.content_type = response.headers.get("Content-Type", "").strip()
        self._response = response
        self._peeked = b""

    def peek(self, count: int) -> bytes:
        """Wait for `count` bytes, or the end, and leave them to be read.

        Raises:
            SourceStalledError: as `read`.
        """
        while len(self._peeked) < count and (data := self._receive()):
            self._peeked += data
        return self._peeked

    def read(self) -> bytes:
        """Wait for some bytes; empty at the end.

        Raises:
            SourceStalledError: the connection broke off or went silent.
        """
        data, self._peeked = self._peeked, b""
        return data or self._receive()

    def interrupt(self) -> None:
        """Make a read that waits in another thread end."""
        # Other errors: it has ended already.
        with suppress(OSError, RuntimeError, ValueError, HTTPError):
            self._response.shutdown()

    def close(self) -> None:
        """End the connection."""
        self._response.close()

    def _receive(self) -> bytes:
        try:
            return self._response.read1(_CHUNK_BYTES)
        except HttpTimeoutError:
            reason = Message("no data came in time")
        except (HTTPError, OSError, ValueError):
            reason = Message("the connection ended")
        raise SourceStalledError(
            "Cannot continue with “{name}”: the connection broke off ({reason}). Check the network.",
            name=self.name,
            reason=reason,
        )


def request(url: str, *, timeout_s: float) -> HttpResponse:
    """Ask for what an address gives.

    Redirections are followed to http and https alone; user name and password are sent to the address's own server
    alone, and not before it asks for them. The content of a refusal or redirection is not read.

    Args:
        url: http or https; may hold a user name and password.
        timeout_s: how long to wait for the connection, for the answer, and for each further byte.

    Raises:
        SourceError: there is no answer, or it is a refusal.
    """
    name = redact_url(url)
    scheme, credentials, place = split_credentials(url)
    first = target = f"{scheme.lower()}://{place}"
    for _ in range(_MAX_REDIRECTS):
        try:
            known = credentials if _origin(target) == _origin(first) else ""
            response = _ask(target, known, timeout_s)
        except (HTTPError, OSError, ValueError) as error:
            # A connection that is refused is a kind of time-out for urllib3, too.
            if isinstance(error, HttpTimeoutError) and not isinstance(error, NewConnectionError):
                raise SourceError(
                    "Cannot open “{name}”: no answer came within {seconds} seconds. Check the address and the network.",
                    name=name,
                    seconds=f"{timeout_s:g}",
                ) from None
            raise SourceError(
                "Cannot open “{name}”: {reason}. Check the address.", name=name, reason=_reason(error)
            ) from error
        location = response.headers.get("Location")
        if response.status not in {301, 302, 303, 307, 308} or not location:
            _check_status(response, name, has_credentials=bool(credentials))
            return HttpResponse(response, name)
        response.close()
        try:
            target = urljoin(target, location)
        except ValueError:
            break
        if urlsplit(target).scheme not in {"http", "https"}:
            break
    raise SourceError("Cannot open “{name}”: it leads nowhere that can be read. Check the address.", name=name)


def _ask(url: str, credentials: str, timeout_s: float) -> BaseHTTPResponse:
    response = _get(url, {}, timeout_s)
    if response.status != HTTPStatus.UNAUTHORIZED or not credentials:
        return response
    user, _, password = (unquote(part) for part in credentials.partition(":"))
    challenges = ", ".join(response.headers.getlist("WWW-Authenticate"))
    response.close()
    return _get(url, {"Authorization": _authorization(url, challenges, user, password)}, timeout_s)


def _get(url: str, headers: dict[str, str], timeout_s: float) -> BaseHTTPResponse:
    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    pool = urllib3.ProxyManager(proxy, cert_reqs="CERT_NONE") if proxy else urllib3.PoolManager(cert_reqs="CERT_NONE")
    return pool.request(
        "GET",
        url,
        headers={**_HEADERS, **headers},
        timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s),
        retries=False,
        redirect=False,
        preload_content=False,
        decode_content=False,
    )


def _authorization(url: str, challenges: str, user: str, password: str) -> str:
    """The answer to a request for authentication: a digest where the server takes one, else the password."""
    _, digest, challenge = challenges.partition("Digest ")
    if digest:
        values = parse_keqv_list([item for item in parse_http_list(challenge) if "=" in item])
        passwords = HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, url, user, password)
        with suppress(Exception):
            # Any error of a damaged challenge; without an answer the server refuses again.
            return f"Digest {HTTPDigestAuthHandler(passwords).get_authorization(Request(url), values)}"  # noqa: S310 - nothing is opened
    return urllib3.make_headers(basic_auth=f"{user}:{password}")["authorization"]


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _check_status(response: BaseHTTPResponse, name: str, *, has_credentials: bool) -> None:
    status = response.status
    if status < HTTPStatus.BAD_REQUEST:
        return
    response.close()
    if status == HTTPStatus.UNAUTHORIZED:
        raise unauthorized(name, has_credentials=has_credentials)
    phrase = next((f" {known.phrase}" for known in HTTPStatus if known == status), "")
    raise SourceError(
        "Cannot open “{name}”: the server answers {answer}. Check the address.", name=name, answer=f"{status}{phrase}"
    )


def unauthorized(name: str, *, has_credentials: bool) -> SourceError:
    """What to say where a server asks for a user name and password, or does not accept those that it got."""
    if has_credentials:
        return SourceError(
            "Cannot open “{name}”: it does not accept this user name and password. Check them, and write @, : or / in "
            "them as %40, %3A or %2F.",
            name=name,
        )
    return SourceError(
        "Cannot open “{name}”: it asks for a user name and password. Write them as scheme://user:password@host/path.",
        name=name,
    )


def _reason(error: BaseException) -> Message | str:
    """The system's message, without the address; ours where there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return Message("nothing that can be read came from there")
