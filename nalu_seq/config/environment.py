"""Checks the settings that Keras reads from the environment, before Keras is imported."""

import json
import os
from pathlib import Path

from nalu_seq.errors import BadInput

# The settings that nalu_seq needs, which are Keras' own defaults.
ASKED = {"backend": "tensorflow", "floatx": "float32", "image_data_format": "channels_last"}


def check_environment() -> None:
    """Check that Keras will have the backend and the number format that this package needs.

    Raises:
        BadInput: a variable or Keras' own file asks for another backend or another number format.
    """
    # tf.keras is not used here; TensorFlow must not look for Keras 2, which is not installed.
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    backend = os.environ.get("KERAS_BACKEND")
    if backend not in (None, "", ASKED["backend"]):
        raise BadInput(
            f"KERAS_BACKEND={backend}: populations train by TensorFlow: unset it, or set it to "
            "tensorflow; nalu_seq.units alone are layers of any backend"
        )
    path = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
    try:
        settings = json.loads(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError, RecursionError):  # Keras ignores such a file too
        return
    for key, value in ASKED.items() if isinstance(settings, dict) else ():
        if key == "backend" and backend:
            continue
        if (other := settings.get(key, value)) != value:
            raise BadInput(
                f"{path} sets {key} to {other!r}, and nalu_seq needs {value!r}: change it there, "
                "or set KERAS_HOME to another folder"
            )
