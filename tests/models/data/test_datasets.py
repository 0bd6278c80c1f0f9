from __future__ import annotations

import math
import shutil
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import BlazeFaceDetector, largest
from desktop_app.vision.preprocessing import center
from models.cli_utils import ToolError
from models.data.datasets import (
    Sample,
    Years,
    parse_gender,
    parse_years,
    read_csv,
    read_data,
    read_fairface,
    read_utkface,
)
from models.data.labels import (
    FAIRFACE_AGES,
    LabelError,
    age_class,
    ages_from_rows,
    ages_to_rows,
    gender_targets,
    parse_age_buckets,
)
from models.data.pictures import DataError, Picture
from models.data.prepare import main
from models.data.prepared import MIN_SCORE, age_targets, find_face, load_prepared, prepare
from tests.helpers.portrait import astronaut_bgr


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    """One face on 512×512 pixels, BGR."""
    return astronaut_bgr()


def png(image: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", image)[1])


GREY = np.full((30, 40, 3), 127, np.uint8)


def test_fairface_is_read_from_zips_and_folders(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(
        "file,age,gender,race,service_test\n"
        "train/1.png,50-59,Male,East Asian,True\ntrain/2.png,more than 70,Female,White,False\n"
    )
    with zipfile.ZipFile(tmp_path / "train-0.zip", "w") as archive:
        archive.writestr("train/1.png", png(GREY))
    (tmp_path / "train").mkdir()
    (tmp_path / "train/2.png").write_bytes(png(GREY))
    one, other = read_fairface(tmp_path, "train")
    assert (one.age, one.gender, one.race) == (Years(50, 59), 0, "East Asian")
    assert (other.age, other.gender) == (Years(70, math.inf), 1)
    assert one.picture.read().shape == other.picture.read().shape == (30, 40, 3)


def write_adience(folder: Path) -> None:
    header = (
        "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score\n"
    )
    rows = [
        "u@1\ta.jpg\t7\t(25, 32)\tf\t0\t0\t9\t9\t0\t0\t1",
        "u@1\tb.jpg\t7\t35\tm\t0\t0\t9\t9\t0\t0\t1",
        "u@1\tc.jpg\t8\t(60, 100)\tu\t0\t0\t9\t9\t0\t0\t1",
        "u@1\td.jpg\t8\tNone\t\t0\t0\t9\t9\t0\t0\t1",
    ]
    for fold in range(5):
        (folder / f"fold_{fold}_data.txt").write_text(header + "\n".join(rows) + "\n")
    faces = folder / "faces" / "u@1"
    faces.mkdir(parents=True)
    (faces / "coarse_tilt_aligned_face.7.a.jpg").write_bytes(png(GREY))


def test_adience_is_read_as_its_authors_do(tmp_path: Path) -> None:
    write_adience(tmp_path)
    samples = read_data("adience", tmp_path)
    assert len(samples) == 15
    assert {one.fold for one in samples} == set(range(5))
    first, second, third = samples[:3]
    assert first.name == "faces/u@1/coarse_tilt_aligned_face.7.a.jpg"
    assert (first.age, first.gender) == (Years(25, 32), 1)
    assert first.picture.read().size
    assert (second.age, second.gender) == (None, 0)
    assert (third.age, third.gender) == (Years(60, math.inf), -1)
    assert {one.fold for one in read_data("adience", tmp_path, folds=(1, 4))} == {1, 4}


def adience_row(user: str = "u@1", image: str = "a.jpg", face: str = "7", age: str = "None", gender: str = "f") -> str:
    return "\t".join([user, image, face, age, gender, *"0099001"])


def write_rows(folder: Path, *rows: str) -> None:
    write_adience(folder)
    table = folder / "fold_2_data.txt"
    table.write_text("\n".join([table.read_text().splitlines()[0], *rows]) + "\n")


def test_odd_ages_and_genders_of_adience_are_what_its_authors_make_of_them(tmp_path: Path) -> None:
    odd = ["None", "35", "(38, 42)", "(38, 48)", "(8, 23)", "(27, 32)", "55", "13", "", "old"]
    slips = ["(25, 23)", "(25 23)"]
    write_rows(tmp_path, *(adience_row(age=age) for age in [*odd, *slips]), adience_row(age="(4, 6)", gender="x"))
    samples = read_data("adience", tmp_path, folds=[2])
    assert [one.age for one in samples] == [None] * len(odd) + [Years(25, 32)] * 2 + [Years(4, 6)]
    assert [one.gender for one in samples] == [1] * 12 + [-1]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (adience_row(user=""), "line 3: '' is not a possible user_id"),
        (adience_row(user="../.."), "is not a possible user_id"),
        (adience_row(user="/etc"), "is not a possible user_id"),
        (adience_row(image=""), "'' is not a possible original_image"),
        (adience_row(face="\0"), "is not a possible face_id"),
        ("u@1\ta.jpg", "too few cells"),
    ],
)
def test_a_row_of_adience_that_names_no_picture_is_refused(tmp_path: Path, row: str, says: str) -> None:
    write_rows(tmp_path, adience_row(), row)
    with pytest.raises(DataError, match=says) as caught:
        read_data("adience", tmp_path)
    assert "fold_2_data.txt" in str(caught.value)


def test_utkface_labels_are_in_the_names(tmp_path: Path) -> None:
    for name in ("34_1_2_20170109.jpg", "8_0_0_20170109.jpg", "61_1_20170109.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(png(GREY))
    old, young = read_utkface(tmp_path)
    assert (old.age, old.gender, old.race) == (Years(34, 34), 1, "Asian")
    assert (young.age, young.gender, young.race) == (Years(8, 8), 0, "White")


def test_a_folder_with_a_csv_is_read(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,age,gender\na.png,34,Female\nb.png,20-29,\nc.png,,m\nd.png,,\n")
    samples = read_csv(tmp_path)
    assert [(one.age, one.gender) for one in samples] == [(Years(34, 34), 1), (Years(20, 29), -1), (None, 0)]


@pytest.mark.parametrize(
    "table",
    [
        "File, Age , gender\na b.png, 34, Female\n",
        "file;age;gender\na b.png;34;Female\n",
        "file\tage\tgender\na b.png\t34\tFemale\n",
        '\ufefffile,age,gender\r\n"a b.png","34","Female"\r\n\r\n',
    ],
    ids=["spaces", "semicolons", "tabs", "spreadsheet"],
)
def test_tables_are_read_as_people_write_them(tmp_path: Path, table: str) -> None:
    (tmp_path / "labels.csv").write_text(table, encoding="utf-8", newline="")
    (sample,) = read_csv(tmp_path)
    assert (sample.name, sample.age, sample.gender) == ("a b.png", Years(34, 34), 1)


@pytest.mark.parametrize("cells", ["1,2,3,", "1,2,3,x", "1,2,0,4", "1,2,3,-4", "nan,2,3,4", "1,2,inf,4"])
def test_a_box_that_is_none_is_refused(tmp_path: Path, cells: str) -> None:
    (tmp_path / "labels.csv").write_text(f"file,age,x,y,width,height\na.png,3,{cells}\n")
    with pytest.raises(DataError, match=r"line 2: .*it needs x, y, width and height in pixels"):
        read_csv(tmp_path)


def test_a_quote_in_a_tab_table_is_a_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text('file\tage\n"a.png\t3\nb".png\t4\n', encoding="utf-8")
    assert [one.name for one in read_csv(tmp_path)] == ['"a.png', 'b".png']


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (f"file,age\n{'a' * 200_000},3\n", "line 1: field larger"),
        ("file,age\na.png,old\n", "line 2: Cannot read the age 'old'"),
        ("file,gender\na.png,1\nb.png,blue\n", "line 3: Cannot read the gender 'blue'"),
        ("picture,age\na.png,3\n", "has no column 'file'"),
        ("file,age\n", "no labelled picture"),
    ],
)
def test_wrong_tables_are_refused_in_one_sentence(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        read_data("csv", tmp_path)


@pytest.mark.parametrize("data", ["fairface", "adience", "utkface", "csv"])
def test_a_missing_data_set_is_refused_in_one_sentence(tmp_path: Path, data: str) -> None:
    with pytest.raises(DataError):
        read_data(data, tmp_path / "nowhere")  # type: ignore[arg-type]


def test_a_broken_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text("file,age,gender\nval/1.png,3-9,Male\n")
    (tmp_path / "val.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="zip"):
        read_fairface(tmp_path, "val")


def test_a_picture_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,age\na.png,3\nb.png,3\nc\0.png,3\n")
    (tmp_path / "a.png").write_bytes(b"text")
    samples = read_csv(tmp_path)
    assert len(samples) == 3
    for sample in samples:
        with pytest.raises(DataError, match="Cannot read the picture"):
            sample.picture.read()


def test_a_picture_that_states_more_pixels_than_the_app_reads_is_refused(tmp_path: Path) -> None:
    data = bytearray(png(np.zeros((8, 8, 3), np.uint8)))
    data[16:24] = struct.pack(">II", 20_000, 20_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "bomb.png").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "val.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "bomb.png", "val/bomb.png")
    (tmp_path / "val.csv").write_text("file,age,gender\nval/bomb.png,3-9,Male\n")
    (packed,) = read_fairface(tmp_path, "val")
    for picture in (Picture(tmp_path / "bomb.png"), packed.picture):
        with pytest.raises(DataError, match=r"Cannot read the picture \S+bomb\.png: it is too large") as error:
            picture.read()
        assert "\n" not in str(error.value)


def test_a_member_of_a_zip_that_is_larger_than_any_picture_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text("file,age,gender\nval/1.png,3-9,Male\n")
    path = tmp_path / "val.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("val/1.png", bytes(10_000))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    # What the list of members says of its size.
    data[entry + 24 : entry + 28] = (1 << 31).to_bytes(4, "little")
    path.write_bytes(data)
    (sample,) = read_fairface(tmp_path, "val")
    with pytest.raises(DataError, match="it is too large"):
        sample.picture.read()


@pytest.mark.parametrize("damage", ["packed", "encrypted", "method"])
def test_a_damaged_member_of_a_zip_is_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / "val.csv").write_text("file,age,gender\nval/1.png,3-9,Male\n")
    path = tmp_path / "val.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("val/1.png", bytes(10_000))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    if damage == "packed":
        start = 30 + len("val/1.png")
        data[start : start + 4] = b"\xff" * 4
    elif damage == "encrypted":
        data[6] |= 1
        data[entry + 8] |= 1
    else:
        data[entry + 10] = 99
    path.write_bytes(data)
    (sample,) = read_fairface(tmp_path, "val")
    with pytest.raises(DataError, match="Cannot read the picture"):
        sample.picture.read()


@given(st.integers(0, 120), st.integers(0, 120))
def test_ages_are_parsed_in_every_spelling(low: int, high: int) -> None:
    low, high = sorted((low, high))
    assert parse_years(f"{low}-{high}") == parse_years(f"({low}, {high})") == Years(low, high)
    assert parse_years(f" {low} ") == Years(low, low)
    assert parse_years(f"{low}+") == Years(low, math.inf)
    assert parse_years(f"{low},5") == parse_years(f"{low}.5") == Years(low + 0.5, low + 0.5)
    assert parse_years("") is None


@given(st.text(max_size=12))
def test_any_text_is_an_age_or_a_data_error(text: str) -> None:
    try:
        years = parse_years(text)
    except DataError:
        return
    assert years is None or 0 <= years.low <= years.high


def test_genders_are_parsed_in_every_spelling() -> None:
    assert [parse_gender(text) for text in ("Male", "m", "0", "FEMALE", "f", "1", "", "u")] == [
        0,
        0,
        0,
        1,
        1,
        1,
        -1,
        -1,
    ]


def test_age_buckets_are_parsed() -> None:
    labels = parse_age_buckets("0-12, 13-19,20-64,65+")
    assert [(one.name, one.low, one.high) for one in labels][-1] == ("65+", 65, None)
    assert [age_class(labels, years) for years in (0, 12.9, 13, 64, 99)] == [0, 0, 1, 2, 3]
    assert age_class(parse_age_buckets("0-2,4-6"), 3) == -1
    assert ages_from_rows(ages_to_rows(labels)) == labels


@pytest.mark.parametrize("text", ["", "0-12", "0-12,12-20", "20-10,30+", "0+,10-20", "young,old", "0-19,20-999"])
def test_age_buckets_without_sense_are_refused(text: str) -> None:
    with pytest.raises(LabelError):
        parse_age_buckets(text)


def test_genders_are_the_models_own() -> None:
    known = np.array([0, 1, -1])
    assert gender_targets(known, ("Male", "Female")).tolist() == [0, 1, -1]
    assert gender_targets(known, ("female", "other", "male")).tolist() == [2, 0, -1]
    with pytest.raises(LabelError, match="not Male, Female"):
        gender_targets(known, ("Man", "Woman"))


def test_an_age_belongs_to_a_group_only_as_a_whole() -> None:
    low = np.array([3, 34, 70, 18, np.nan, 60], np.float32)
    high = np.array([9, 34, np.inf, 22, np.nan, np.inf], np.float32)
    assert age_targets(low, high, FAIRFACE_AGES).tolist() == [1, 4, 8, -1, -1, -1]
    assert age_targets(low[:1], high[:1], parse_age_buckets("10-19,20+")).tolist() == [-1]


def test_faces_are_prepared_as_the_app_cuts_them(tmp_path: Path, portrait: NDArray[np.uint8]) -> None:
    folder, cache = tmp_path / "data", tmp_path / "cache"
    folder.mkdir()
    (folder / "whole.png").write_bytes(png(portrait))
    (folder / "cut.png").write_bytes(png(portrait[30:240, 120:330]))
    (folder / "none.png").write_bytes(png(GREY))
    (folder / "labels.csv").write_text("file,age,gender\nwhole.png,36,Female\ncut.png,30-39,Female\nnone.png,,Male\n")
    samples = read_csv(folder)
    prepared = prepare(samples, cache)
    assert prepared.found.tolist() == [True, True, False]
    assert prepared.ages(FAIRFACE_AGES).tolist() == [4, 4, -1]
    assert prepared.gender.tolist() == [1, 1, 0]
    assert prepared.pictures.shape == (3, 256, 256, 3)
    # However a picture was framed, the same face fills the same place, up to the detector's jitter.
    views = center(prepared.pictures, 160).astype(float)
    whole, cut, none = (cv2.GaussianBlur(view, (0, 0), 10).ravel() for view in views)
    assert np.corrcoef(whole, cut)[0, 1] > 0.9
    assert (none.round() == 127).all()
    corrected = [replace(samples[0], gender=0), *samples[1:]]
    again = prepare(corrected, cache)
    assert (again.pictures == prepared.pictures).all()
    assert again.found.tolist() == [True, True, False]
    assert again.gender.tolist() == [0, 1, 0]
    with pytest.raises(DataError, match="other pictures"):
        prepare(samples[:1], cache)


def test_a_picture_that_cannot_be_read_is_told_of_and_left_out(
    tmp_path: Path, portrait: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "good.png").write_bytes(png(portrait))
    (tmp_path / "labels.csv").write_text("file,age,gender\nbad.png,20,Male\ngood.png,36,Female\ngone.png,20,Male\n")
    for _ in range(2):  # made, and found made
        prepared = prepare(read_csv(tmp_path), tmp_path / "cache")
        assert prepared.readable.tolist() == [False, True, False]
        assert prepared.ages(FAIRFACE_AGES).tolist() == [-1, 4, -1]
        assert prepared.gender.tolist() == [-1, 1, -1]
    *told, reminder = capsys.readouterr().err.splitlines()
    assert [Path(line.split(": ")[0]).name for line in told] == ["bad.png", "gone.png"]
    assert reminder.startswith("2 pictures could not be read")


def test_a_set_that_the_disk_has_no_room_for_is_refused_at_once(
    tmp_path: Path, portrait: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.png").write_bytes(png(portrait))
    (tmp_path / "labels.csv").write_text("file,age\n1.png,36\n")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1000))
    with pytest.raises(DataError, match="Choose another --cache"):
        prepare(read_csv(tmp_path), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_set_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,age,gender\na.png,20,Male\nb.png,36,Female\n")
    with pytest.raises(DataError, match=r"Cannot read the picture \S+a\.png: "):
        prepare(read_csv(tmp_path), tmp_path / "cache")


def test_a_set_that_was_prepared_by_an_earlier_version_is_whole(tmp_path: Path, portrait: NDArray[np.uint8]) -> None:
    (tmp_path / "a.png").write_bytes(png(portrait))
    (tmp_path / "labels.csv").write_text("file,age,gender\na.png,36,Female\n")
    prepare(read_csv(tmp_path), tmp_path / "cache")
    with np.load(tmp_path / "cache" / "labels.npz") as labels:
        old = {name: labels[name] for name in labels if name != "readable"}
    np.savez(tmp_path / "cache" / "labels.npz", **old)
    assert load_prepared(tmp_path / "cache").readable.tolist() == [True]


@pytest.mark.parametrize("border", [0, 70])
def test_networks_learn_from_the_crop_that_the_app_takes(portrait: NDArray[np.uint8], border: int) -> None:
    face = np.ascontiguousarray(portrait[90 - border : 185 + border, 175 - border : 270 + border])
    with BlazeFaceDetector("short", min_score=MIN_SCORE) as trainings, BlazeFaceDetector("short") as apps:
        found, expected = find_face(trainings, face), largest(apps.detect_still(face))
    assert found is not None
    assert expected is not None
    # Candidates that only training's lower limit lets in are averaged into the box.
    assert found.box.iou(expected.box) > 0.95


def write_grey(folder: Path) -> Path:
    (folder / "grey.png").write_bytes(png(GREY))
    return folder / "grey.png"


def test_a_damaged_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"python -m models prepare"):
        load_prepared(tmp_path)
    (tmp_path / "pictures.npy").write_bytes(b"nothing")
    np.savez(tmp_path / "labels.npz", names=np.array(["a"]))
    with pytest.raises(DataError):
        load_prepared(tmp_path)
    whole = prepare([Sample(picture=Picture(write_grey(tmp_path)), name="a", age=None, gender=0)], tmp_path / "set")
    assert whole.gender.tolist() == [0]
    for name, find, behind, put in (
        ("pictures.npy", b"'shape'", 7, b";"),
        ("pictures.npy", b"256, 3)", 3, b'"""'),
        ("labels.npz", b"PK\1\2", 6, b"\xff"),
    ):
        path = tmp_path / "set" / name
        content = path.read_bytes()
        place = content.index(find) + behind
        path.write_bytes(content[:place] + put + content[place + len(put) :])
        with pytest.raises(DataError, match="Cannot find a prepared data set"):
            load_prepared(tmp_path / "set")
        path.write_bytes(content)


def test_the_tool_prepares_a_data_set(
    tmp_path: Path, portrait: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "utk"
    folder.mkdir()
    (folder / "36_1_0_1.png").write_bytes(png(portrait))
    main(["--data", "utkface", "--path", str(folder), "--cache", str(tmp_path / "cache")])
    assert "1 pictures" in capsys.readouterr().out
    (prepared,) = (tmp_path / "cache").iterdir()
    assert len(load_prepared(prepared)) == 1


def test_folders_of_the_same_name_share_no_cache(tmp_path: Path, portrait: NDArray[np.uint8]) -> None:
    cache = tmp_path / "cache"
    for person, image in (("one", portrait[30:240, 120:330]), ("other", GREY)):
        folder = tmp_path / person / "faces"
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(png(image))
        (folder / "labels.csv").write_text("file,age\n1.png,36\n")
        main(["--data", "csv", "--path", str(folder), "--cache", str(cache)])
    assert sorted(bool(load_prepared(one).found[0]) for one in cache.iterdir()) == [False, True]


@pytest.mark.parametrize("wrong", [["--limit", "0"], ["--limit", "-1"], ["--folds", "5"], ["--margin", "0"]])
def test_options_out_of_range_are_refused(tmp_path: Path, wrong: list[str]) -> None:
    write_adience(tmp_path)
    arguments = ["--data", "adience", "--path", str(tmp_path), "--cache", str(tmp_path / "cache"), *wrong]
    with pytest.raises((SystemExit, ToolError)):
        main(arguments)
    assert not (tmp_path / "cache").exists()
