"""Sound of a film, copied beside the pictures of a recording that was made of it."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from desktop_app.errors import CommandError, reason_of
from desktop_app.messages import Message
from desktop_app.output.atomic_files import NewFile, explain
from desktop_app.output.encoder import FORMATS, FileSink

_BACK_S: Final = 1.0
"""A clock that goes back by more has started anew: the pictures were moved then, and the sound would no longer fit."""


class SoundError(CommandError):
    """The sound cannot be copied; the recording stays as it was."""


def can_hold_sound(source: Path, suffix: str) -> bool:
    """Whether recordings with this suffix can hold the sound of a film as it is."""
    try:
        with av.open(str(source)) as origin, av.open(BytesIO(), "w", format=FORMATS[suffix.lower()].name) as output:
            sound = origin.streams.audio[0]
            copied = output.add_stream_from_template(sound)
            # Its list of codecs holds some that FFmpeg refuses with the header or the first packet.
            _copy(next(origin.demux(sound)), copied, output)
    except (av.FFmpegError, IndexError, ValueError):
        return False
    return True


def copy_sound(recording: Path, source: Path, *, from_s: float = 0.0) -> None:
    """Put the first sound of a film into a recording of its pictures, without encoding it again.

    The recording is replaced once the new file is whole; whatever happens before, it stays.

    Args:
        recording: `.mp4` or `.mkv`.
        source: the film.
        from_s: moment of the film that the recording's first picture shows, in seconds from its first picture on.

    Raises:
        SoundError: the film cannot be read, its clock starts anew, or the disk is full.
    """
    try:
        file = NewFile(recording, overwrite=True)
    except OSError as error:
        raise _failed(source, explain(error)) from error
    sink = FileSink(file)
    try:
        with (
            av.open(str(recording)) as pictures,
            av.open(str(source)) as origin,
            av.open(sink, "w", format=FORMATS[recording.suffix.lower()].name) as output,
        ):
            _merge(pictures, origin, output, from_s)
        if sink.error is not None:
            raise sink.error
        file.commit()
    except BaseException as error:
        file.discard()
        if isinstance(error, OSError) and not isinstance(error, av.FFmpegError):
            raise _failed(source, explain(error)) from error
        if isinstance(error, (av.FFmpegError, ValueError, IndexError)):
            raise _failed(source, reason_of(error)) from error
        raise


def _merge(pictures: InputContainer, origin: InputContainer, output: OutputContainer, from_s: float) -> None:
    film, sound = pictures.streams.video[0], origin.streams.audio[0]
    first = origin.streams.video[0]
    start_s = float((first.start_time or 0) * (first.time_base or 0)) + from_s
    copied, spoken = output.add_stream_from_template(film), output.add_stream_from_template(sound)
    waiting = _sound_packets(origin, sound, start_s)
    following = next(waiting, None)
    end_s = 0.0
    for packet in pictures.demux(film):
        if packet.dts is None or packet.time_base is None:
            continue
        time_s = float(packet.dts * packet.time_base)
        end_s = time_s + float((packet.duration or 0) * packet.time_base)
        while following is not None and following[0] <= time_s:
            _copy(following[1], spoken, output)
            following = next(waiting, None)
        packet.stream = copied
        output.mux(packet)
    while following is not None and following[0] < end_s:
        _copy(following[1], spoken, output)
        following = next(waiting, None)


def _sound_packets(
    origin: InputContainer, sound: AudioStream, start_s: float
) -> Iterator[tuple[float, Packet[AudioStream]]]:
    """The packets from the first picture on, with their times since then in seconds."""
    last_s = float("-inf")
    for packet in origin.demux(sound):
        unit = packet.time_base
        if packet.dts is None or packet.pts is None or unit is None:
            continue
        shift = round(start_s / unit)
        packet.dts, packet.pts = packet.dts - shift, packet.pts - shift
        time_s = float(packet.dts * unit)
        if time_s < last_s - _BACK_S:
            raise ValueError("its clock starts anew")
        last_s = max(last_s, time_s)
        # What a decoder would need before the first picture is left out with the rest: some players would wait for it.
        if packet.pts >= 0:
            yield time_s, packet


def _copy(packet: Packet[AudioStream], stream: AudioStream, output: OutputContainer) -> None:
    packet.stream = stream
    output.mux(packet)


def _failed(source: Path, reason: Message | str) -> SoundError:
    return SoundError("Cannot copy the sound of “{name}”: {reason}.", name=source.name, reason=reason)
