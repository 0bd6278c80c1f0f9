from __future__ import annotations

from desktop_app.engine.statistics import STAGES, Statistics


def test_nothing_measured_is_zero() -> None:
    snapshot = Statistics().snapshot()
    assert snapshot.capture_fps == snapshot.latency_ms.p95 == 0
    assert snapshot.stage_ms == {}


def test_stages_keep_their_order_and_their_median() -> None:
    statistics = Statistics()
    for seconds in (0.001, 0.002, 0.9):
        statistics.add_stage("draw", seconds)
    statistics.add_stage("read", 0.004)
    snapshot = statistics.snapshot()
    assert list(snapshot.stage_ms) == [name for name in STAGES if name in {"read", "draw"}]
    assert snapshot.stage_ms["draw"] == 2.0


def test_latency_is_to_the_screen_as_soon_as_something_paints() -> None:
    statistics = Statistics()
    statistics.add_latency(0.5, painted=False)
    assert statistics.snapshot().latency_ms.p50 == 500
    for milliseconds in range(1, 101):
        statistics.add_latency(milliseconds / 1000, painted=True)
    statistics.add_latency(9.0, painted=False)
    latency = statistics.snapshot().latency_ms
    assert latency.p50 <= latency.p95 <= latency.p99 <= 100
    assert abs(latency.p50 - 50.5) < 1e-6


def test_rates_count_what_happened_and_drops_add_up() -> None:
    statistics = Statistics()
    for _ in range(5):
        statistics.count("inference", 3)
        statistics.drop_frames(2)
    snapshot = statistics.snapshot(dropped_crops=4, faces=2, provider="cpu", model="agelens")
    assert snapshot.inference_fps > 0
    assert (snapshot.dropped_frames, snapshot.dropped_crops) == (10, 4)


def test_the_text_for_a_bug_report_names_model_and_provider() -> None:
    text = Statistics().snapshot(provider="cpu", model="agelens", source_fps=30.0).as_text()
    assert "model agelens, provider cpu" in text
    assert "source 30.0" in text
