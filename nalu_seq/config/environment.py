"""What Keras takes from the environment, looked at before Keras is there to stumble over it."""

import json
import os
from pathlib import Path

from nalu_seq.errors import BadInput

# What nalu_seq is written for: Keras' own defaults.
ASKED = {"backend": "tensorflow", "floatx": "float32", "image_data_format": "channels_last"}


def check_environment() -> None:
    """Make sure that Keras will be as this package needs it.

    Raises:
        BadInput: a variable or Keras' own file asks for another backend or another number format.
    """
    # tf.keras is not used here; asked for the older one, TensorFlow would look for it in vain.
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    named = os.environ.get("KERAS_BACKEND")
    if named not in (None, "", ASKED["backend"]):
        raise BadInput(
            f"KERAS_BACKEND={named}: populations train by TensorFlow: unset it, or set it to "
            "tensorflow; nalu_seq.units alone are layers of any backend"
        )
    path = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
    try:
        settings = json.loads(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError, RecursionError):  # Keras passes over it too
        return
    for key, value in ASKED.items() if isinstance(settings, dict) else ():
        if key == "backend" and named:
            continue
        if (other := settings.get(key, value)) != value:
            raise BadInput(
                f"{path} sets {key} to {other!r}, and nalu_seq needs {value!r}: change it there, "
                "or set KERAS_HOME to another folder"
            )
