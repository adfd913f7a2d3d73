"""Prepare MNIST from its four IDX files: `python -m nalu_seq.data.prepare FOLDER [DATA_DIR]`."""

from pathlib import Path

from nalu_seq.config.environment import check_environment
from nalu_seq.errors import Arguments, command


def main() -> None:
    """The command. Exit codes: 0 done, 2 bad input."""
    with command():
        parser = Arguments(prog="python -m nalu_seq.data.prepare", description=__doc__)
        parser.add_argument("folder", type=Path, help="holds the four files, as published")
        parser.add_argument("data_dir", nargs="?", help="where to; by default where they always go")
        arguments = parser.parse_args()
        check_environment()
        from nalu_seq.distribution.startup import start_tensorflow

        start_tensorflow()
        from nalu_seq.data.mnist import prepare

        print(prepare(arguments.folder, arguments.data_dir))


if __name__ == "__main__":
    main()
