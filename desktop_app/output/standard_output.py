"""Predictions on standard output, for the program at the other end of a pipe."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from desktop_app.closeable import Closeable
from desktop_app.output.atomic_files import explain
from desktop_app.output.predictions import COLUMNS, FaceRow, PredictionFileError
from desktop_app.output.tables import Row, table_encoder
from desktop_app.stopping import StopRequest

STANDARD_OUTPUT: Final = Path("-")
"""Stands for standard output in place of a file."""
_STEP_S: Final = 0.2
# What a pipe that can be written to takes at once, so that a write never waits.
_PIECE: Final = getattr(select, "PIPE_BUF", 512)


class PredictionStream(Closeable):
    """Writes rows as JSON lines, those of a frame at once.

    A reader that does not keep up holds up the analysis, but not its end.

    Args:
        stop: once it is set, nothing waits for the reader.
    """

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._encoder = table_encoder(".jsonl", COLUMNS, None)
        sys.stdout.flush()
        self._number = sys.stdout.fileno()

    def write(self, rows: Sequence[FaceRow]) -> None:
        """Write the rows of a frame.

        Raises:
            BrokenPipeError: the reader has ended.
            PredictionFileError: what is behind standard output cannot be written to.
        """
        data = self._encoder.add([Row(row.values(), row.ages, row.genders) for row in rows])
        try:
            self._write(memoryview(data))
        except BrokenPipeError:
            # Ctrl+C ends both programs of a pipe.
            if not self._stop.is_set():
                raise
        except OSError as error:
            raise PredictionFileError(
                "Cannot write predictions to standard output: {reason}.", reason=explain(error)
            ) from error

    def finish(self) -> None:
        """Nothing is left: each frame is written at once."""

    close = keep = finish

    def _write(self, rest: memoryview) -> None:
        if self._has_no_reader():
            raise BrokenPipeError
        while rest:
            if self._takes_more():
                rest = rest[os.write(self._number, rest[:_PIECE]) :]
            elif self._stop.is_set():
                return

    def _has_no_reader(self) -> bool:
        """Whether the reader of a pipe has ended, which a frame without faces would not find out."""
        if not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(self._number, 0)
        return any(state & select.POLLERR for _, state in poll.poll(0))

    def _takes_more(self) -> bool:
        """Wait for a moment until something can be written."""
        # Windows cannot ask that of a pipe.
        return sys.platform == "win32" or bool(select.select([], [self._number], [], _STEP_S)[1])
