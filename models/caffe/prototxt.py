"""Reads a network's definition (.prototxt) in protobuf's text format; `models.caffe.network` makes a network of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from google.protobuf import text_format

from desktop_app.catalogue.manifest import ModelError
from models.caffe.schema import new_message

MAX_FILE_BYTES: Final = 1 << 20
MAX_LINE: Final = 1 << 14
"""Characters; protobuf's parser copies the line again and again: a line of 1 MiB would take it minutes."""
_MAX_REASON: Final = 120
# What protobuf's messages begin with: line and column, then often the whole line.
_PLACE: Final = re.compile(r"\d+:\d+ : (?:'.*': )?", re.DOTALL)


def read_prototxt(path: Path) -> Any:
    """Read a network's definition.

    Returns:
        The `NetParameter` message, with the fields of `models.caffe.schema`; others are passed over.

    Raises:
        ModelError: the file cannot be read or is not in that format.
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path} is not a file; name the network's .prototxt")
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path} cannot be read ({reason}); check the file's name") from error
    if len(data) > MAX_FILE_BYTES:
        raise ModelError(f"{path} is too large for a network's definition; name the .prototxt file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ModelError(f"{path} is not a text file; name the network's .prototxt") from None
    if max(map(len, text.split("\n"))) > MAX_LINE:
        raise ModelError(f"{path} has a line of more than {MAX_LINE} characters; break it into shorter ones")
    try:
        # Unlike Parse, it takes the last of several values, as older versions of protobuf did.
        return text_format.Merge(text, new_message("NetParameter"), allow_unknown_field=True)
    except text_format.ParseError as error:
        reason = " ".join(_PLACE.sub("", str(error)).split())[:_MAX_REASON].rstrip(".")
        raise ModelError(
            f"{path}, line {error.GetLine()}: {reason}; name a network's definition in Caffe's text format (.prototxt)"
        ) from error
    except RecursionError:
        raise ModelError(f"{path}: braces are nested too deeply; name the network's .prototxt") from None
