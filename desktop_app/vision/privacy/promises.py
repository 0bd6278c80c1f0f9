"""What the privacy modes promise, in the same words everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from desktop_app.messages import Message
from desktop_app.vision.privacy.concealment import PrivacyMode

FACES_PROMISE: Final = Message(
    "Hides each face that is found, also where an edge of the picture cuts it, and for a second after it was lost. A "
    "face that is not found stays visible: one that is small, covered or turned away, or has only just come into view."
)
PICTURE_PROMISE: Final = Message(
    "Hides the whole picture and draws only boxes and labels on it. Nobody can be recognised, whether their face is "
    "found or not."
)
PRIVACY_REACH: Final = Message("This holds for the view, the panels, recordings and screenshots.")
PROMISES: Final[Mapping[PrivacyMode, Message | None]] = {
    "off": None,
    "faces": FACES_PROMISE,
    "picture": PICTURE_PROMISE,
}
