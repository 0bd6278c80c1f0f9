from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import Catalogue, load_package
from desktop_app.catalogue.manifest import InputSpec, ModelError, OutputSpec, read_manifest, sha256_of
from tests.helpers.tiny_model import MakeModel


def test_what_is_written_is_read_again(make_model: MakeModel) -> None:
    confusion = tuple(tuple(range(row, row + 6)) for row in range(6))
    package = load_package(make_model(scores={"gender": 0.9}, confusion=confusion, about={"licence": "CC BY 4.0"}))
    assert package.manifest.confusion == confusion
    assert [label.name for label in package.labels.ages] == ["0-19", "20-59", "60+"]
    assert package.labels.ages[2].high is None
    assert package.input == InputSpec(size=32, mean=(1.0, 2.0, 3.0), scale=0.02, margin=1.2)
    assert package.manifest.scores == {"gender": 0.9}
    assert package.manifest.about == {"licence": "CC BY 4.0"}
    assert package.size_bytes > 0


def test_a_changed_network_is_not_used(make_model: MakeModel) -> None:
    path = make_model()
    with path.with_suffix(".onnx").open("ab") as stream:
        stream.write(b"!")
    with pytest.raises(ModelError, match="damaged or was changed"):
        load_package(path)


def test_a_missing_network_is_named(make_model: MakeModel) -> None:
    path = make_model()
    path.with_suffix(".onnx").unlink()
    with pytest.raises(ModelError, match=r"tiny\.onnx”: it is missing"):
        load_package(path)


@pytest.mark.parametrize(
    ("find", "put", "says"),
    [
        ('name = "tiny"', "", "name is missing"),
        ('name = "tiny"', 'name = "../x"', "name may hold only"),
        ("scale = 0.02", "scale = 0", r"input\.scale must not be 0"),
        ("scale = 0.02", "", "input has no scale"),
        ("scale = 0.02", 'scale = 0.02\nmean_fit = "stretch"', "input.mean_fit must be 'crop' or 'resize'"),
        ("size = 32", "size = 9999999", "input.size must be at most 1024"),
        ('colour = "BGR"', 'colour = "GBR"', "input.colour must be 'BGR' or 'RGB'"),
        ('file = "tiny.onnx"', 'file = "../../etc/passwd"', "outputs.age.file must be the name of a file beside"),
        ('architecture = "two-head"', 'architecture = "tree"', "architecture must be 'two-head' or"),
        ("low = 20", "low = 0", "labels.age must go from young to old"),
        ("high = 59", "high = 3", r"labels\.age\[1\] must have a `high` that is not below"),
        ('"Female",', "", "labels.gender must have at least 2 entries"),
        ("[outputs]", "[outputs", "Cannot read the model manifest"),
        ('name = "tiny"', 'name = "tiny"\nconfusion = ["1 2", "3 4"]', "confusion must be 6 rows of 6 numbers"),
        ('name = "tiny"', 'name = "tiny"\nconfusion = ["1 many"]', r"confusion\[0\]\[1\] must be a whole number"),
        ('title = "Tiny"', 'title = "Tiny\\u001b[31m"', "title must be one line of text"),
        ('title = "Tiny"', f'title = "{"T" * 60_000}"', "at most 200 letters"),
        ('name = "tiny"', f'name = "{"T" * 60_000}"', "may hold only"),
        ('"Female"', '"Male"', "labels.gender must not hold one name twice"),
        ("high = 59", "high = true", r"labels\.age\[1\]\.high must be a whole number"),
        ("low = 60", "low = 60000", r"labels\.age\[2\]\.low must be at most 200"),
        ("scale = 0.02", f"scale = 1{'0' * 400}", "input.scale must be a number"),
        ("scale = 0.02", f"scale = 1{'0' * 5000}", "Cannot read"),
        ("scale = 0.02", f"scale = {'[' * 20_000}{']' * 20_000}", "nested too deeply"),
        # Python's reader takes a minute and gigabytes for it.
        ('title = "Tiny"', "a" + ".a" * 15_000 + " = 1", "too many dots"),
        ('file = "tiny.onnx"', f'file = "{"n" * 300}.onnx"', "outputs.age.file must be the name of a file beside"),
        ('file = "tiny.onnx"\ntensor = "age"', 'file = "other.onnx"\ntensor = "age"', "must be the same file"),
        ("[scores]", '[layers]\n"\\u001b[31m" = 3\n[scores]', "must be a text"),
        ("[scores]", "[scores]\nage = [1]", "scores.age must be a number"),
        ('file = "tiny.onnx"', 'file = "\\u0000"', "outputs.age.file must be the name of a file beside"),
    ],
)
def test_a_manifest_that_lies_says_so_in_one_sentence(make_model: MakeModel, find: str, put: str, says: str) -> None:
    path = make_model()
    text = path.read_text(encoding="utf-8")
    assert find in text
    path.write_text(text.replace(find, put), encoding="utf-8")
    with pytest.raises(ModelError, match=says) as error:
        load_package(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("kind", ["folder", "pipe", "large"])
def test_what_is_no_file_is_no_manifest(make_model: MakeModel, tmp_path: Path, kind: str) -> None:
    make_model()
    path = tmp_path / "other.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("there are no named pipes")
        os.mkfifo(path)
    else:
        with path.open("wb") as stream:
            stream.truncate(2 << 20)
    with pytest.raises(ModelError, match=r"it is (not a file|too large)"):
        read_manifest(path)
    # One that cannot be read is in nobody's way.
    assert Catalogue([tmp_path]).find("tiny").name == "tiny"


def test_a_network_that_is_too_large_to_be_one_is_not_read(make_model: MakeModel) -> None:
    path = make_model()
    with path.with_suffix(".onnx").open("r+b") as stream:
        stream.truncate((768 << 20) + 1)
    with pytest.raises(ModelError, match="is larger than 768 MB"):
        load_package(path)


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="needs a file that exists and cannot be read")
def test_a_network_that_cannot_be_read_is_named(make_model: MakeModel) -> None:
    network = make_model().with_suffix(".onnx")
    network.unlink()
    network.symlink_to("/proc/self/mem")
    with pytest.raises(ModelError, match=r"Cannot read the model file “.*tiny\.onnx”"):
        load_package(network)


def test_binary_rubbish_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "rubbish.toml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ModelError, match="Cannot read the model manifest"):
        read_manifest(path)


def test_text_in_another_encoding_is_said(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('title = "Gesichter für alle"'.encode("latin-1"))
    with pytest.raises(ModelError, match="it is not UTF-8 text"):
        read_manifest(path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_what_the_system_refuses_to_look_at_hides_no_other_model(make_model: MakeModel, tmp_path: Path) -> None:
    make_model()
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "more").symlink_to("more")
    packages, errors = Catalogue([tmp_path / ("n" * 300), tmp_path / "more", tmp_path]).packages()
    assert [package.name for package in packages] == ["tiny"]
    assert [str(error).startswith("Cannot find a model at") for error in errors] == [True]
    for name in (f"/{'n' * 300}.onnx", "~nobody-of-this-name/x.onnx"):
        with pytest.raises(ModelError, match="Cannot find a model at"):
            Catalogue([tmp_path]).find(name)


def test_a_mean_image_is_read_as_it_is(make_model: MakeModel, tmp_path: Path) -> None:
    mean = np.random.default_rng(1).uniform(0, 255, (64, 80, 3)).astype(np.float32)
    np.save(tmp_path / "mean.npy", mean)
    plain = load_package(make_model())
    assert plain.mean_image() is None
    files = {"tiny.onnx": sha256_of(tmp_path / "tiny.onnx"), "mean.npy": sha256_of(tmp_path / "mean.npy")}
    spec = InputSpec(size=32, mean="mean.npy", scale=1.0, mean_fit="resize")
    package = load_package(make_model(input=spec, files=files))
    assert package.input.mean_fit == "resize"
    np.testing.assert_array_equal(package.mean_image(), mean)


def lying_mean() -> bytes:
    """The header of a mean image that is far larger than its file."""
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (200_000, 200_000, 3)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + bytes(64)


def npy_with_header(header: str) -> bytes:
    """A NumPy file whose header is any text."""
    text = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64)


def npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (npy(np.zeros(5, np.float32)), "not a picture of three channels"),
        (npy(np.full((4, 4, 3), "text")), "values that are no numbers"),
        (npy(np.full((4, 4, 3), np.nan)), "values that are no numbers"),
        (lying_mean(), "no .npy file of numbers"),
        (b"nothing", "no .npy file of numbers"),
        (b"", "no .npy file of numbers"),
        (npy(np.full((4, 4, 3), 1e300)), "values that are no numbers"),
        (npy(np.full((4, 4, 3), None)), "no .npy file of numbers"),
        (npy_with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4, 3"), "no .npy file of numbers"),
        (npy_with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**30}, 4, 3)}}"), "no .npy file"),
        (npy_with_header("[" * 9000), "no .npy file of numbers"),
    ],
    ids=["list", "text", "nan", "lying", "rubbish", "empty", "huge", "pickle", "token", "overflow", "nested"],
)
def test_a_mean_file_that_is_no_picture_is_refused(
    make_model: MakeModel, tmp_path: Path, data: bytes, says: str
) -> None:
    (tmp_path / "mean.npy").write_bytes(data)
    make_model()
    files = {"tiny.onnx": sha256_of(tmp_path / "tiny.onnx"), "mean.npy": sha256_of(tmp_path / "mean.npy")}
    package = load_package(make_model(input=InputSpec(size=32, mean="mean.npy", scale=1.0), files=files))
    with pytest.raises(ModelError, match=says) as error:
        package.mean_image()
    assert "pickle" not in str(error.value)
    assert "\n" not in str(error.value)


def test_the_catalogue_lists_models_and_what_is_wrong_with_others(make_model: MakeModel, tmp_path: Path) -> None:
    make_model(name="one", folder=tmp_path / "shipped")
    make_model(name="two", folder=tmp_path / "user" / "two")
    broken = make_model(name="three", folder=tmp_path / "user")
    broken.with_suffix(".onnx").unlink()
    catalogue = Catalogue([tmp_path / "shipped", tmp_path / "user", tmp_path / "absent"])
    packages, errors = catalogue.packages()
    assert [package.name for package in packages] == ["one", "two"]
    assert len(errors) == 1
    assert "three.onnx" in str(errors[0])
    assert catalogue.find("two").path.parent.name == "two"
    with pytest.raises(ModelError, match="the models here are one, three, two"):
        catalogue.find("four")
    with pytest.raises(ModelError, match=r"three\.onnx”: it is missing"):
        catalogue.find("three")


def test_a_name_that_is_taken_is_told(make_model: MakeModel, tmp_path: Path) -> None:
    make_model(folder=tmp_path / "shipped")
    other = make_model(folder=tmp_path / "user")
    packages, errors = Catalogue([tmp_path / "shipped", tmp_path / "user"]).packages()
    assert [package.path.parent.name for package in packages] == ["shipped"]
    (error,) = errors
    assert str(error).startswith(f"Cannot use the model at “{other}”: ")
    assert "has the name “tiny”, too" in str(error)


def test_a_model_is_found_by_its_file(make_model: MakeModel) -> None:
    path = make_model(age=OutputSpec("tiny.onnx", "age"))
    assert Catalogue([]).find(str(path.with_suffix(".onnx"))).name == "tiny"
    with pytest.raises(ModelError, match="Cannot find a model at"):
        Catalogue([]).find("/nowhere/at/all.onnx")


def test_the_shipped_model_is_the_default() -> None:
    package = Catalogue().find()
    assert package.name == "agelens"
    assert package.input.size == 227
    assert package.labels.genders == ("Male", "Female")
    assert len(package.labels.ages) == 9
