from __future__ import annotations

import threading
import time
from dataclasses import replace

from desktop_app.engine.playback import Playback, PlaybackEvent
from desktop_app.sources.frame import Frame
from tests.helpers.counting_source import CountingSource


def index_of(event: Frame | PlaybackEvent) -> int:
    assert isinstance(event, Frame), event
    return event.index


def test_every_frame_in_order_and_then_the_end() -> None:
    source, playback = CountingSource(3, rate=20.0), Playback(loop=False)
    assert [index_of(playback.next_event(source)) for _ in range(3)] == [0, 1, 2]
    assert playback.next_event(source) is PlaybackEvent.ENDED
    assert playback.position.paused
    assert playback.position.index == 2


def test_a_loop_starts_again_and_counts_as_a_jump() -> None:
    source, playback = CountingSource(2, rate=20.0), Playback(loop=True)
    assert [index_of(playback.next_event(source)) for _ in range(5)] == [0, 1, 0, 1, 0]
    assert playback.generation == 2


def test_play_after_the_end_begins_again() -> None:
    source, playback = CountingSource(1), Playback(loop=False)
    playback.next_event(source)
    assert playback.next_event(source) is PlaybackEvent.ENDED
    playback.play()
    assert index_of(playback.next_event(source)) == 0


def test_seek_and_step_show_one_frame_while_paused() -> None:
    source, playback = CountingSource(100), Playback()
    playback.pause()
    playback.seek(40)
    assert index_of(playback.next_event(source)) == 40
    playback.step()
    playback.step()
    assert index_of(playback.next_event(source)) == 41
    assert index_of(playback.next_event(source)) == 42
    assert playback.position.paused
    assert playback.position.seekable
    playback.redraw()
    assert playback.next_event(source) is PlaybackEvent.PAUSED
    assert playback.next_event(source) is PlaybackEvent.REDRAW


def test_a_source_that_begins_paused_shows_its_first_frame() -> None:
    source, playback = CountingSource(100), Playback(paused=True)
    assert index_of(playback.next_event(source)) == 0
    assert playback.next_event(source) is PlaybackEvent.PAUSED
    playback.play()
    assert playback.next_event(source) is PlaybackEvent.PLAYING
    assert index_of(playback.next_event(source)) == 1


def test_a_redraw_that_was_asked_for_just_before_a_pause_is_not_lost() -> None:
    source, playback = CountingSource(100), Playback()
    assert index_of(playback.next_event(source)) == 0
    playback.redraw()
    playback.pause()
    assert playback.next_event(source) is PlaybackEvent.PAUSED
    assert playback.next_event(source) is PlaybackEvent.REDRAW
    playback.redraw()
    playback.step()
    playback.play()
    assert playback.next_event(source) is PlaybackEvent.PLAYING
    assert index_of(playback.next_event(source)) == 1
    playback.pause()
    playback.step()
    assert index_of(playback.next_event(source)) == 2


def test_a_paused_source_waits_until_told() -> None:
    source, playback = CountingSource(5), Playback()
    playback.pause()
    assert playback.next_event(source) is PlaybackEvent.PAUSED
    events: list[Frame | PlaybackEvent] = []
    reader = threading.Thread(target=lambda: events.append(playback.next_event(source)), daemon=True)
    reader.start()
    assert source.next_index == 0
    playback.play()
    reader.join(10)
    assert events == [PlaybackEvent.PLAYING]
    assert index_of(playback.next_event(source)) == 0


def test_a_pause_is_said_once_and_after_the_picture_that_it_holds() -> None:
    source, playback = CountingSource(100, rate=1000.0), Playback()
    assert index_of(playback.next_event(source)) == 0
    playback.step()
    playback.step()
    assert [index_of(playback.next_event(source)) for _ in range(2)] == [1, 2]
    assert playback.next_event(source) is PlaybackEvent.PAUSED
    playback.pause()
    playback.seek(50)
    assert index_of(playback.next_event(source)) == 50
    playback.redraw()
    assert playback.next_event(source) is PlaybackEvent.REDRAW
    playback.play()
    playback.pause()
    playback.redraw()
    assert playback.next_event(source) is PlaybackEvent.REDRAW


def test_stop_ends_a_wait_for_a_frame_that_is_due_in_an_hour() -> None:
    source, playback = CountingSource(5, rate=1 / 3600), Playback()
    assert index_of(playback.next_event(source)) == 0
    events: list[Frame | PlaybackEvent] = []
    reader = threading.Thread(target=lambda: events.append(playback.next_event(source)), daemon=True)
    reader.start()
    playback.stop()
    reader.join(10)
    assert events == [PlaybackEvent.STOPPED]


def test_a_jump_interrupts_the_wait_for_a_frame() -> None:
    source, playback = CountingSource(50, rate=1 / 3600), Playback()
    playback.next_event(source)
    events: list[Frame | PlaybackEvent] = []
    reader = threading.Thread(target=lambda: events.append(playback.next_event(source)), daemon=True)
    reader.start()
    playback.seek(30)
    reader.join(10)
    assert index_of(events[0]) == 30


def test_a_frame_that_was_jumped_to_is_shown_as_long_as_any_other() -> None:
    source, playback = CountingSource(50, rate=1 / 3600), Playback()
    playback.seek(20)
    assert index_of(playback.next_event(source)) == 20
    events: list[Frame | PlaybackEvent] = []
    reader = threading.Thread(target=lambda: events.append(playback.next_event(source)), daemon=True)
    reader.start()
    reader.join(0.2)
    playback.stop()
    reader.join(10)
    assert events == [PlaybackEvent.STOPPED]


def test_speed_is_kept_within_reason() -> None:
    playback = Playback()
    playback.set_speed(1000)
    assert playback.position.speed == 16
    playback.set_speed(0)
    assert playback.position.speed == 0.1


def test_frames_that_are_too_late_are_passed_over_and_counted() -> None:
    source, playback = CountingSource(100_000, rate=5000.0), Playback()
    first = index_of(playback.next_event(source))
    seen = [first]
    while playback.skipped == 0 and len(seen) < 50_000:
        seen.append(index_of(playback.next_event(source)))
        threading.Event().wait(0.002)
    assert playback.skipped > 0
    assert seen == sorted(seen)


def test_the_last_frame_of_a_loop_is_shown_as_long_as_the_others() -> None:
    source, playback = CountingSource(2, rate=20.0), Playback(loop=True)
    shown_at = []
    for _ in range(7):
        index_of(playback.next_event(source))
        shown_at.append(time.monotonic())
    assert shown_at[-1] - shown_at[0] >= 6 * 0.05 - 0.01


def test_a_source_that_was_opened_again_is_read_again() -> None:
    playback = Playback(loop=False)
    first = CountingSource(1)
    playback.next_event(first)
    assert playback.next_event(first) is PlaybackEvent.ENDED
    playback.reopen()
    assert index_of(playback.next_event(CountingSource(3))) == 0


def test_a_single_picture_is_shown_once_and_then_stands_still() -> None:
    source, playback = CountingSource(1), Playback(loop=True)
    source.info = replace(source.info, kind="image")
    assert index_of(playback.next_event(source)) == 0
    assert playback.next_event(source) is PlaybackEvent.ENDED
    playback.redraw()
    assert playback.next_event(source) is PlaybackEvent.REDRAW


def test_a_film_of_one_frame_is_not_shown_again_and_again() -> None:
    source, playback = CountingSource(1), Playback(loop=True)
    assert index_of(playback.next_event(source)) == 0
    assert playback.next_event(source) is PlaybackEvent.ENDED
    assert playback.generation == 0


def test_steps_at_the_end_are_not_made_up_for_later() -> None:
    source, playback = CountingSource(50, rate=20.0), Playback(loop=False)
    playback.seek(49)
    playback.next_event(source)
    assert playback.next_event(source) is PlaybackEvent.ENDED
    playback.step()
    assert not playback.is_paused
    playback.pause()
    playback.seek(10)
    assert index_of(playback.next_event(source)) == 10
    # A step that was still due would show frame 11 here.
    assert playback.next_event(source) is PlaybackEvent.PAUSED
    reader = threading.Thread(target=lambda: playback.next_event(source), daemon=True)
    reader.start()
    reader.join(0.05)
    assert source.next_index == 11
    playback.stop()
    reader.join()
