"""What there is: `python -m nalu_seq` lists the commands, each with what it does."""

import ast
from pathlib import Path

import nalu_seq

HERE = Path(__file__).parent


def main() -> None:
    """Print the commands, each with the line that its own file opens with."""
    print(f"{nalu_seq.__doc__}  (version {nalu_seq.__version__})\n")
    for file in sorted(HERE.glob("*.py")):
        if file.stem in ("__init__", "__main__", "errors"):
            continue
        line = (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]
        print(f"  nalu-seq-{file.stem:10}{line}")
    print(
        "\nEach is also `python -m nalu_seq.<name>`, and says more with --help. To begin with:\n"
        "  nalu-seq-train task=count\n\n"
        "In Python: `from nalu_seq import NALU, NMU, Population`."
    )


if __name__ == "__main__":
    main()
