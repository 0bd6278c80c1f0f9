"""The covers of faces for as long as faces are to be hidden: the same live and offline."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from desktop_app.closeable import Closeable
from desktop_app.sources.frame import Frame
from desktop_app.vision.geometry import Box
from desktop_app.vision.privacy.concealment import PrivacyMode
from desktop_app.vision.privacy.face_cover import FaceCover
from desktop_app.vision.tracking.tracker import Track

log = logging.getLogger(__name__)


class Covering(Closeable):
    """Says what hides the faces of each frame; its detectors are there only once they are needed.

    Not thread-safe: use and close it on one thread.
    """

    def __init__(self) -> None:
        self._cover: FaceCover | None = None

    def look(
        self,
        frame: Frame,
        tracks: Sequence[Track],
        privacy: PrivacyMode,
        *,
        alone: bool = False,
        thorough: bool = False,
    ) -> tuple[Box, ...] | None:
        """What to hide in the next frame.

        Args:
            frame: the frame.
            tracks: the faces that are known of it.
            privacy: only where faces are to be hidden they are looked for.
            alone: the frame has nothing to do with the one before.
            thorough: see `FaceCover.cover`.

        Returns:
            As `FaceCover.cover`; None where no face was looked for, and nothing of the picture may be shown.
        """
        if alone or privacy != "faces":
            # What was seen before frames that are not looked at says nothing about those that follow.
            self.reset()
        if privacy != "faces":
            return None
        try:
            if self._cover is None:
                self._cover = FaceCover()
            return self._cover.cover(frame.image, frame.captured_at, tracks, thorough=thorough)
        except Exception:
            # For any error, each time: the picture stays hidden, and the rest continues.
            log.exception("faces could not be looked for; the whole picture is hidden")
            return None

    def reset(self) -> None:
        """Forget all faces, at a jump in time or for another source."""
        if self._cover is not None:
            self._cover.reset()

    def close(self) -> None:
        """Free the detectors."""
        if self._cover is not None:
            self._cover.close()
            self._cover = None
