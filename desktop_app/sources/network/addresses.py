"""Addresses of streams: what to show of them, and the user name and password in them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

STREAM_SCHEMES: Final = frozenset({"http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp"})

# What can begin with a user name: no "/", "?" or "#" comes before its end.
_CREDENTIALS: Final = re.compile(r"[^/?#]*[:@]")


def redact_url(url: str) -> str:
    """The address without user name, password and query, for people to see; any text will do."""
    scheme, _, rest = split_credentials(url)
    try:
        parts = urlsplit(f"{scheme}://{rest}")
    except ValueError:
        return f"{scheme.lower()}://…"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def split_credentials(url: str) -> tuple[str, str, str]:
    """The scheme of an address, its user name and password ("" where there is none), and what comes after them."""
    scheme, _, rest = url.partition(":")
    rest = rest.lstrip("/")
    if not _CREDENTIALS.match(rest):
        return scheme, "", rest
    # What stands before the last @: a password that holds "/" or "#", though it should be escaped, is one as well.
    credentials, _, place = rest.rpartition("@")
    return scheme, credentials, place
