from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from desktop_app.output.predictions import FaceRow
from desktop_app.output.snapshots import (
    SnapshotError,
    burst_paths,
    free_path,
    read_snapshot_rows,
    save_snapshot,
)
from tests.helpers.portrait import astronaut_bgr

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 11, 24, 10, 15, 30)  # names show the local time
KNOWN = FaceRow(12, 0.4, "演示.mp4", 3, 10.5, -2.0, 100.0, 120.0, 0.9, "20-29", 0.75, "Female", 0.875)
NEW = FaceRow(12, 0.4, "演示.mp4", 4, 0.0, 0.0, 50.0, 60.0, 0.5)


def test_picture_and_rows_come_back(tmp_path: Path) -> None:
    path = save_snapshot(tmp_path / "shot.png", astronaut_bgr(), [KNOWN, NEW])

    assert read_snapshot_rows(path) == [KNOWN, NEW]
    got = cv2.imread(str(path))
    assert got is not None
    assert np.array_equal(got, astronaut_bgr())
    assert list(tmp_path.iterdir()) == [path]


def test_other_programs_read_the_text(tmp_path: Path) -> None:
    path = save_snapshot(tmp_path / "shot.png", astronaut_bgr(), [KNOWN], metadata={"model": "Agelens “compact”"})

    with Image.open(path) as image:
        image.load()
        content = json.loads(image.info["Agelens"])
        assert np.array_equal(np.asarray(image)[..., ::-1], astronaut_bgr())

    assert content["metadata"] == {"model": "Agelens “compact”"}
    assert content["faces"] == [KNOWN.values()]


def test_json_beside_has_the_same_content(tmp_path: Path) -> None:
    path = save_snapshot(tmp_path / "shot.png", astronaut_bgr(), [KNOWN, NEW], metadata={"a": "b"}, json_beside=True)

    content = json.loads((tmp_path / "shot.json").read_text(encoding="utf-8"))

    with Image.open(path) as image:
        assert json.loads(image.info["Agelens"]) == content
    assert content["faces"][1]["age"] is None


@settings(max_examples=30, deadline=None)
@given(text=st.text(st.characters()), time_s=st.floats(0, 1e6))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str, time_s: float) -> None:
    row = FaceRow(0, round(time_s, 6), text, 1, 0.0, 0.0, 1.0, 1.0, 1.0, text, 0.5, text, 0.5)
    path = tmp_path_factory.mktemp("text") / "shot.png"

    save_snapshot(path, np.zeros((2, 2, 3), np.uint8), [row])

    assert read_snapshot_rows(path) == [row]


@pytest.mark.parametrize("existing", ["shot.png", "shot.json"])
def test_existing_files_are_kept_without_overwrite(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_bytes(b"precious")

    with pytest.raises(SnapshotError, match="exists already"):
        save_snapshot(tmp_path / "shot.png", astronaut_bgr(), [], json_beside=True)

    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"precious"]


def test_overwrite_replaces_both(tmp_path: Path) -> None:
    (tmp_path / "shot.png").write_bytes(b"old")
    (tmp_path / "shot.json").write_bytes(b"old")

    save_snapshot(tmp_path / "shot.png", astronaut_bgr(), [NEW], json_beside=True, overwrite=True)

    assert read_snapshot_rows(tmp_path / "shot.png") == [NEW]
    assert json.loads((tmp_path / "shot.json").read_bytes())["faces"] == [NEW.values()]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
@pytest.mark.parametrize("overwrite", [False, True])
def test_full_disk_leaves_no_half_picture(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "shot.png"
    if overwrite:
        path.write_bytes(b"precious")
    script = (
        "import resource, sys; from pathlib import Path; import numpy as np\n"
        "from desktop_app.output.snapshots import SnapshotError, save_snapshot\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)\n"
        "try: save_snapshot(Path(sys.argv[1]), noise, [], overwrite=sys.argv[2] == 'True')\n"
        "except SnapshotError as error: print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(overwrite)], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert done.stdout.startswith(f"Cannot save “{path}”: the file became larger")
    assert not done.stderr
    assert [one.read_bytes() for one in tmp_path.iterdir()] == ([b"precious"] if overwrite else [])


def test_missing_folder_and_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="the folder does not exist"):
        save_snapshot(tmp_path / "nowhere" / "shot.png", astronaut_bgr(), [])
    with pytest.raises(SnapshotError, match=r"must end in \.png"):
        save_snapshot(tmp_path / "shot.jpg", astronaut_bgr(), [])

    assert not list(tmp_path.iterdir())


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def test_text_is_read_wherever_a_program_has_put_it(tmp_path: Path) -> None:
    encoded, bare = cv2.imencode(".png", astronaut_bgr())
    assert encoded
    png, end = bare.tobytes(), chunk(b"IEND", b"")
    text = chunk(b"iTXt", b"Agelens\0\0\0\0\0" + json.dumps({"metadata": {}, "faces": [KNOWN.values()]}).encode())
    # Behind the header, as Agelens wrote it by itself, and at the end.
    for content in (png[:33] + text + png[33:], png.removesuffix(end) + text + end):
        path = tmp_path / "shot.png"
        path.write_bytes(content)

        assert read_snapshot_rows(path) == [KNOWN]


def with_text(png: bytes, text: bytes) -> bytes:
    """The same picture with this text in place of the predictions, and the right checksum."""
    start = png.index(b"iTXt") - 4
    end = start + 12 + int.from_bytes(png[start : start + 4], "big")
    body = png[start + 4 : png.index(b"{", start)] + text
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:start] + chunk + png[end:]


def test_pictures_without_rows_are_told_apart_from_damaged_ones(tmp_path: Path) -> None:
    foreign, damaged, cut, deep, huge, jpeg = (
        tmp_path / f"{name}.png" for name in ("foreign", "damaged", "cut", "deep", "huge", "jpeg")
    )
    cv2.imwrite(str(foreign), astronaut_bgr())
    content = save_snapshot(tmp_path / "shot.png", astronaut_bgr(), [KNOWN]).read_bytes()
    damaged.write_bytes(content.replace(b'"20-29"', b'"30-39"'))
    deep.write_bytes(with_text(content, b"[" * 100_000))
    cut.write_bytes(content[:60])
    side = (1 << 30).to_bytes(4, "big")
    huge.write_bytes(content[:8] + chunk(b"IHDR", side + side + content[24:29]) + content[33:])
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG")

    with pytest.raises(SnapshotError, match="contains no predictions"):
        read_snapshot_rows(foreign)
    for path in (damaged, cut, deep, huge, jpeg):
        with pytest.raises(SnapshotError, match="is damaged"):
            read_snapshot_rows(path)
    with pytest.raises(SnapshotError, match="Cannot read"):
        read_snapshot_rows(tmp_path / "missing.png")


def test_free_path_never_names_an_existing_file(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        path = free_path(tmp_path, "Agelens", ".mp4", at=AT)
        path.touch(exist_ok=False)
        names.append(path.name)

    assert names == [
        "Agelens 2026-11-24 10.15.30.mp4",
        "Agelens 2026-11-24 10.15.30 (2).mp4",
        "Agelens 2026-11-24 10.15.30 (3).mp4",
    ]


def test_free_path_looks_at_the_files_beside_and_at_dangling_links(tmp_path: Path) -> None:
    (tmp_path / "Agelens 2026-11-24 10.15.30.csv").touch()

    assert free_path(tmp_path, "Agelens", ".mp4", at=AT).name == "Agelens 2026-11-24 10.15.30.mp4"
    beside = free_path(tmp_path, "Agelens", ".mp4", at=AT, beside=[".csv"])
    assert beside.name == "Agelens 2026-11-24 10.15.30 (2).mp4"
    if os.name == "posix":
        beside.symlink_to("nowhere")
        assert "(3)" in free_path(tmp_path, "Agelens", ".mp4", at=AT, beside=[".csv"]).name


def test_burst_names_sort_in_order_and_are_all_free(tmp_path: Path) -> None:
    first = burst_paths(tmp_path, "Agelens", ".png", at=AT, count=12)
    for path in first:
        path.touch(exist_ok=False)
    second = burst_paths(tmp_path, "Agelens", ".png", at=AT, count=3)

    assert first[0].name == "Agelens 2026-11-24 10.15.30 burst 01.png"
    assert sorted(first) == first
    assert len(set(first)) == 12
    assert second[0].name == "Agelens 2026-11-24 10.15.30 burst 2 01.png"
    assert not any(path.exists() for path in second)
