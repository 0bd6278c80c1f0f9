"""Files whose content is known at the end of a run only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from desktop_app.closeable import Closeable
from desktop_app.errors import AgelensError
from desktop_app.output.atomic_files import NewFile, explain


class LateFileError(AgelensError):
    """A file cannot be made or written."""


class LateFile(Closeable):
    """A file that is made at the end, of what there is by then; nothing is on the disk before.

    Args:
        path: its name.
        make: gives its bytes.
        overwrite: replace an existing file, in `close` and not before.
        attached: it is of no use without other files of the run; `keep` leaves nothing of it.
    """

    def __init__(
        self, path: Path, make: Callable[[], bytes], *, overwrite: bool = False, attached: bool = False
    ) -> None:
        self._path, self._make, self._overwrite, self._attached = path, make, overwrite, attached
        self._file: NewFile | None = None
        self._over = False

    def finish(self) -> None:
        """Write the content, beside a file that it is to replace; does nothing the second time.

        Raises:
            LateFileError: it cannot be written; nothing is left of it.
        """
        if self._file is not None or self._over:
            return
        content = self._make()
        try:
            self._file = NewFile(self._path, overwrite=self._overwrite)
            self._file.write(content)
        except OSError as error:
            self._over = True
            if self._file is not None:
                self._file.discard()
            raise self._error(error) from error

    def close(self) -> None:
        """Write the file if that was not done, and give it its name; does nothing the second time.

        Raises:
            LateFileError: it cannot be written, was removed, or cannot get its name.
        """
        self.finish()
        if self._over or self._file is None:
            return
        self._over = True
        try:
            self._file.check_present()
            self._file.commit()
        except OSError as error:
            self._file.keep()
            raise self._error(error) from error

    def keep(self) -> None:
        """Write what there is and leave what it should have replaced; does nothing after `close`.

        Raises:
            LateFileError: it cannot be written.
        """
        if self._attached and not self._over:
            self._over = True
            if self._file is not None:
                self._file.discard()
        self.finish()
        if self._file is not None and not self._over:
            self._over = True
            self._file.keep()

    def _error(self, error: OSError) -> LateFileError:
        return LateFileError("Cannot write “{path}”: {reason}.", path=self._path, reason=explain(error))
