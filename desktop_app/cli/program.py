"""The program as a process: arguments, signals, errors in one sentence, exit codes."""

from __future__ import annotations

import argparse
import atexit
import difflib
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from desktop_app.cli.commands import EXIT_DONE, EXIT_UNUSABLE
from desktop_app.cli.parsers import ALIKE, COMMANDS, LEVELS, command_parser, window_parser
from desktop_app.errors import AgelensError, CommandError, describe_error
from desktop_app.system_libraries import missing_library
from desktop_app.terminal import (
    EXIT_INTERRUPTED,
    drop_output,
    fill_standard_streams,
    handle_signals,
    leave,
    say,
    show_notes,
)

_INTERRUPTED: Final = "interrupted; what was written so far is kept"


def run() -> NoReturn:
    """Run the program with this process's arguments and exit."""
    fill_standard_streams()
    code = EXIT_DONE

    def end() -> None:
        # A thread that a driver holds cannot be ended: Python would unwind it through C++, which aborts the process.
        if any(thread.daemon for thread in threading.enumerate()):
            leave(code)

    # The first to be registered is the last to be called: pictures that are still being saved are saved by then.
    atexit.register(end)
    # Until there is something to finish: an exception would come in the middle of an import, which Qt does not survive.
    handle_signals(_leave_at_once)
    try:
        code = main(sys.argv[1:])
        handle_signals(lambda *_: leave(code))
    except KeyboardInterrupt:
        # The second signal, or the first one that came when all was done.
        leave(EXIT_INTERRUPTED)
    sys.exit(code)


def _leave_at_once(_number: int, _frame: object) -> NoReturn:
    say(_INTERRUPTED)
    leave(EXIT_INTERRUPTED)


def main(arguments: Sequence[str]) -> int:
    """Run the program.

    Args:
        arguments: what follows the program's name.

    Returns:
        0 done, 2 wrong arguments or unusable input (one line on stderr), 3 some of many sources could not be read and
        the others are done, 130 interrupted with what was written kept.
    """
    try:
        _set_up_log()
        options = _parse(arguments)
        if options.level is not None:
            show_notes(options.level)
        command: Callable[[argparse.Namespace], int] = options.run
        code = command(options)
        # Here rather than at Python's end, where a full disk or a reader that left can no longer be handled.
        sys.stdout.flush()
        return code
    except AgelensError as error:
        say(str(error))
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        say(_INTERRUPTED)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has ended, as `head` does: there is nothing to report, and nowhere.
        drop_output()
        return EXIT_DONE
    except (ImportError, OSError) as error:
        if isinstance(error, ImportError) and missing_library(error) is None:
            raise
        say(str(describe_error(error)))
        drop_output()
        return EXIT_UNUSABLE


def _set_up_log() -> None:
    show_notes(logging.INFO)
    level = os.environ.get("AGELENS_LOG", "CRITICAL")
    try:
        logging.basicConfig(level=level.upper(), format="%(threadName)s %(message)s")
    except ValueError:
        raise CommandError(
            "Cannot log at the level “{level}”. Set AGELENS_LOG to DEBUG, INFO, WARNING or ERROR.",
            level=level,
        ) from None


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse; a first word that is not a command is the window's source."""
    words = [word for word in arguments if word not in LEVELS]
    try:
        if words and words[0] in COMMANDS:
            # Also where they stand before the command.
            levels = [word for word in arguments[: arguments.index(words[0])] if word in LEVELS]
            parser, given = command_parser(), [words[0], *levels, *arguments[len(levels) + 1 :]]
        else:
            if words:
                _check_spelling(words[0])
            parser, given = window_parser(), list(arguments)
        options, unknown = parser.parse_known_args(given)
        if unknown:
            options.parser.refuse(unknown)
        return options
    except SystemExit as end:
        raise _Exit(int(end.code or 0)) from None


def _check_spelling(word: str) -> None:
    """Find out whether a command was meant where there is no such source.

    Raises:
        CommandError: it seems so.
    """
    similar = difflib.get_close_matches(word.lower(), COMMANDS, 1, ALIKE)
    if not similar:
        return
    from desktop_app.sources.cameras import list_cameras
    from desktop_app.sources.opening import classify_spec

    if classify_spec(word) == "camera" and not any(word.lower() in camera.name.lower() for camera in list_cameras()):
        raise CommandError(
            "Cannot open “{word}”: there is no command, file or camera of that name. Did you mean `agelens {command}`?",
            word=word,
            command=similar[0],
        )


class _Exit(SystemExit):
    """The parser has printed its message."""
