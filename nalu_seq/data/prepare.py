"""Prepare MNIST from its four IDX files: `python -m nalu_seq.data.prepare FOLDER [DATA_DIR]`."""

import argparse
from pathlib import Path

from nalu_seq.errors import BadInput, refuse


def main() -> None:
    """The command. Exit codes: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m nalu_seq.data.prepare", description=__doc__)
    parser.add_argument("folder", type=Path, help="has the four files, compressed as published")
    parser.add_argument("data_dir", nargs="?", help="where to; by default TFDS' own folder")
    arguments = parser.parse_args()
    from nalu_seq.distribution.startup import start_tensorflow

    start_tensorflow()
    from nalu_seq.data.mnist import prepare

    try:
        print(prepare(arguments.folder, arguments.data_dir))
    except BadInput as error:
        refuse(error)


if __name__ == "__main__":
    main()
