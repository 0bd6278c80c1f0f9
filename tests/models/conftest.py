"""Networks that are exported once, which takes seconds; a test that changes a model copies it."""

from __future__ import annotations

from pathlib import Path

import pytest

from desktop_app.catalogue.catalogue import ModelPackage, load_package


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def small_package(models_folder: Path) -> ModelPackage:
    """A compact network, `SMALL`."""
    from models.export.export import ExportSettings, export_model
    from tests.helpers.random_networks import SMALL, checkpoint_of

    settings = ExportSettings(name="small", title="Small", folder=models_folder)
    return load_package(export_model([checkpoint_of(SMALL)], settings).manifest_path)


@pytest.fixture(scope="session")
def paper_package(models_folder: Path) -> ModelPackage:
    """The paper's networks, `paper_pair`, in half precision."""
    from models.export.export import ExportSettings, export_model
    from tests.helpers.random_networks import paper_pair

    settings = ExportSettings(name="paper", folder=models_folder, storage="fp16")
    return load_package(export_model(paper_pair(), settings).manifest_path)


@pytest.fixture(scope="session")
def batch_norm_package(models_folder: Path) -> ModelPackage:
    """The paper's layers with batch normalisation and two heads, `PAPER_BATCH_NORM`."""
    from models.export.export import ExportSettings, export_model
    from tests.helpers.random_networks import PAPER_BATCH_NORM, checkpoint_of

    settings = ExportSettings(name="batch", folder=models_folder)
    return load_package(export_model([checkpoint_of(PAPER_BATCH_NORM)], settings).manifest_path)
