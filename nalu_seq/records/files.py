"""Files that are whole or unchanged."""

import os
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Write a file beside `path`, sync it, and put it in its place: a crash leaves old or new."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with open(partial, "x") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:  # such as a full disk, which shall have its room again
        partial.unlink(missing_ok=True)
        raise
