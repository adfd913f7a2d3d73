"""Imports within nalu_seq run one way, and docs/architecture.md shows that way."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nalu_seq"
# From the top to the ground: a room imports from lower floors, and from itself.
FLOORS = [
    ("commands", "the commands, nothing else: `train`, `evaluate`, `explain`, `report`, `merge`"),
    ("experiment", "a composed config made into a run: feasibility, session, resume, processes"),
    ("reports", "summaries, tables, published figures, plots"),
    ("listeners", "whatever listens while a run trains: progress bar, TensorBoard"),
    ("explanation", "a trained population read as formulas: rounded, composed, checked"),
    ("evaluation", "splits to metrics, success, intervals, survival"),
    ("training", "one step and the loop: gradients, penalties, restarts, noise, optimizers"),
    ("tasks", "what is learned: one file a task; ranges, thresholds, references"),
    ("data", "pictures of digits"),
    ("records", "a run on disk: `metrics.csv`, checkpoints, the run's folder"),
    ("distribution", "strategy, cluster, workers, the start of TensorFlow"),
    ("config", "schema, options, value checks, cases; no TensorFlow"),
    ("errors", "bad input in one line, exit codes"),
    ("models", "an encoder, a head and a unit made into a `keras.Model`"),
    ("units", "arithmetic layers, plain Keras"),
    ("population", "many seeds of any Keras model: stacking, mapping, fit, random draws, clips"),
]
ROOMS = [room for room, _ in FLOORS]
COMMANDS = {"train", "evaluate", "explain", "report", "merge"}
GROUND = {"models": {"units"}, "units": set(), "population": set()}  # packages of their own


def imported(path: Path) -> set[str]:
    """The modules of nalu_seq that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if name in MODULES else str(node.module) for name in full}
    return names & MODULES.keys() - {"nalu_seq"}


def room(module: str) -> str:
    """The folder at the top that a module is in; all commands are one room."""
    name = module.split(".")[1]
    return "commands" if name in {*COMMANDS, "__main__"} else name


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path): path for path in PACKAGE.rglob("*.py")}
# The package's own face hands names on lazily, and its folders' faces only hand them on.
IMPORTS = {name: imported(path) for name, path in MODULES.items() if name != "nalu_seq"}


def test_no_import_runs_upwards():
    upward = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if ROOMS.index(room(other)) < ROOMS.index(room(name))
    ]
    assert upward == []


def test_no_circle():
    TopologicalSorter(IMPORTS).prepare()  # raises CycleError, which names the circle


def test_ground_floor_could_be_packages_of_their_own():
    for name, others in IMPORTS.items():
        if (here := room(name)) in GROUND:
            assert {room(other) for other in others} - {here} <= GROUND[here], name


def test_top_holds_commands_and_errors_alone():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {
        *COMMANDS, "errors", "__init__", "__main__",
    }  # fmt: skip


def test_architecture_shows_the_floors():
    table = "\n".join(f"| `{name}` | {what} |" for name, what in FLOORS)
    assert table in (ROOT / "docs" / "architecture.md").read_text()
