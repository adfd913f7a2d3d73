"""Keras as the environment asks for it: refused in one line before anything is made."""

import json
import os
from pathlib import Path

import pytest

from nalu_seq.config.environment import check_environment
from nalu_seq.errors import BadInput


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return tmp_path / "keras.json"


def test_other_backends_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_environment()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(BadInput, match="KERAS_BACKEND=jax: populations train by TensorFlow"):
        check_environment()
    home.write_text('{"backend": "torch"}')
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    check_environment()
    monkeypatch.delenv("KERAS_BACKEND")
    with pytest.raises(BadInput, match=r"keras.json sets backend to 'torch'"):
        check_environment()


@pytest.mark.parametrize(
    ("key", "value"),
    [("floatx", "float64"), ("image_data_format", "channels_first"), ("floatx", ["x"])],
)
def test_other_formats_are_refused(home: Path, key: str, value: object) -> None:
    home.write_text(json.dumps({"backend": "tensorflow", key: value}))
    with pytest.raises(BadInput, match=f"sets {key} to .*: change it there"):
        check_environment()


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"epsilon": 1e-7}'])
def test_what_keras_passes_over_is_passed_over(home: Path, content: str) -> None:
    home.write_text(content)
    check_environment()


def test_the_older_keras_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    check_environment()
    assert "TF_USE_LEGACY_KERAS" not in os.environ
