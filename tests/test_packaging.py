"""What is installed and how: dependencies and their lock, wheel and sdist, the scripts."""

import importlib.metadata
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ("3.11", "3.12", "3.13")
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = [
    Requirement(line) for line in (line.split("#")[0].strip() for line in LOCK.splitlines()) if line
]
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def requirements(*groups: list[str]) -> list[Requirement]:
    return [Requirement(line) for group in groups for line in group]


DIRECT = requirements(
    PYPROJECT["build-system"]["requires"], PYPROJECT["project"]["dependencies"], *EXTRAS.values()
)
UNLOCKED = {"torch"}  # on Linux it brings gigabytes of CUDA with it


# Dependencies and their lock


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_direct_dependency_has_both_bounds(requirement):
    assert {specifier.operator for specifier in requirement.specifier} == {">=", "<"}


def test_gpu_extra_asks_for_the_same_tensorflow():
    (gpu,) = requirements(EXTRAS["gpu"])
    (cpu,) = (r for r in requirements(PYPROJECT["project"]["dependencies"]) if r.name == gpu.name)
    assert gpu.specifier == cpu.specifier
    assert gpu.extras == {"and-cuda"}


def test_pythons_are_those_of_the_project():
    specifier = Requirement(f"python{PYPROJECT['project']['requires-python']}").specifier
    assert [f"3.{minor}" for minor in range(20) if f"3.{minor}" in specifier] == list(PYTHONS)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("requirement", [r for r in DIRECT if r.name not in UNLOCKED], ids=str)
def test_lock_pins_direct_dependency_inside_its_bounds(requirement, python):
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "os_name": "posix",
    }
    pins = [
        locked
        for locked in LOCKED
        if canonicalize_name(locked.name) == canonicalize_name(requirement.name)
        and (locked.marker is None or locked.marker.evaluate(environment))
    ]
    assert len(pins) == 1
    (pin,) = pins[0].specifier
    assert pin.operator == "=="
    assert pin.version in requirement.specifier


def test_lock_holds_exact_versions_and_no_place():
    for locked in LOCKED:
        assert locked.url is None
        assert [specifier.operator for specifier in locked.specifier] == ["=="], locked
    assert not re.search(r"[/\\@]|file:", LOCK)
    assert not any(locked.name.startswith("nvidia") for locked in LOCKED), "the gpu extra"


def test_no_tracked_file_names_a_package_index():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    hosts = [name.encode() for name in ("pypi" + ".org", "pythonhosted" + ".org")]
    for name in filter(None, os.fsdecode(listed).split("\0")):
        path = ROOT / name
        if path.is_file():
            assert not any(host in path.read_bytes() for host in hosts), name


# Wheel and sdist


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with the sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def shipped(folder: str) -> set[str]:
    """The files below a folder of the checkout, as paths from the checkout's top."""
    files = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in files if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_wheel_holds_the_package_with_conf_in_it(dist):
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        (metadata,) = (archive.read(n).decode() for n in names if n.endswith("/METADATA"))
    # A package index shows no file of the checkout.
    assert "## A layer in Keras" in metadata
    assert set(re.findall(r"\]\((?!http)[^)]*\)", metadata)) == set()
    info = "nalu_seq-{}.dist-info".format(PYPROJECT["project"]["version"])
    assert {name.split("/")[0] for name in names} == {"nalu_seq", info}
    assert f"{info}/licenses/LICENSE" in names
    assert shipped("nalu_seq") <= names
    conf = {f"nalu_seq/{name}" for name in shipped("conf")}
    assert conf
    assert conf == {name for name in names if name.startswith("nalu_seq/conf/")}


@pytest.mark.slow
def test_sdist_holds_what_building_and_testing_needs(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "requirements.lock", "README.md", "LICENSE"}
    needed |= {"scripts/_env.sh", "scripts/train", "scripts/test"}
    needed |= shipped("nalu_seq") | shipped("conf") | shipped("tests")
    assert needed <= names
    assert not any(name.startswith((".venv", "runs/")) for name in names)


@pytest.mark.slow
def test_installed_wheel_trains_from_an_empty_directory(dist, tmp_path):
    # An environment of its own that sees this one's packages. A .pth file is not read through
    # another one, so the editable checkout stays out of sight.
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-I", "-c", purelib], text=True).strip())
    (site / "parent.pth").write_text("\n".join({*map(sysconfig.get_path, ("purelib", "platlib"))}))
    (wheel,) = dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)

    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [python, *arguments]
        return subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)

    where = run("-c", "import nalu_seq; print(nalu_seq.__file__)").stdout.strip()
    assert where == str(site / "nalu_seq" / "__init__.py")
    shown = run("-m", "nalu_seq.train", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "count" in shown.stdout
    assert list(empty.iterdir()) == []


# What importing takes


def python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd or ROOT, capture_output=True, text=True)


def test_importing_the_package_imports_neither_keras_nor_tensorflow():
    code = (
        "import sys, nalu_seq, nalu_seq.__main__\n"
        "print(sorted({'keras', 'tensorflow', 'hydra'} & sys.modules.keys()))"
    )
    assert python("-c", code).stdout == "[]\n"


def test_the_package_hands_out_its_units_and_the_population():
    import nalu_seq
    from nalu_seq import NALU, Population, population, units

    assert NALU is units.NALU and Population is population.population.Population
    assert {"Population", *units.__all__} <= set(dir(nalu_seq))
    with pytest.raises(ImportError, match="NALUU"):
        from nalu_seq import NALUU  # noqa: F401


def test_the_package_says_what_there_is():
    shown = python("-m", "nalu_seq").stdout
    scripts = PYPROJECT["project"]["scripts"]
    for name, target in scripts.items():
        assert name in shown
        assert (ROOT / (target.removesuffix(":main").replace(".", "/") + ".py")).exists()
    commands = {path.stem for path in (ROOT / "nalu_seq").glob("*.py")}
    commands -= {"__init__", "__main__", "errors"}
    assert set(scripts) == {f"nalu-seq-{command}" for command in commands}


@pytest.mark.slow
def test_type_checkers_know_the_units(tmp_path):
    (tmp_path / "user.py").write_text("from nalu_seq import NALU\nNALU('three')\nNALU(3)\n")
    flags = ["--ignore-missing-imports", "--follow-imports=silent", "--cache-dir", tmp_path]
    checked = python("-m", "mypy", *map(str, flags), str(tmp_path / "user.py"))
    assert checked.returncode == 1, checked.stderr
    (line, _) = checked.stdout.splitlines()
    assert "user.py:2" in line and 'expected "int"' in line


NOTHING_ELSE = """
import sys
import keras
import nalu_seq.units, nalu_seq.models
from nalu_seq import NMU

model = keras.Sequential([keras.Input((2,)), NMU(1)])
model.compile("adam", "mse")
x = keras.random.uniform((64, 2), 1, 2)
model.fit(x, x[:, :1] * x[:, 1:], verbose=0)
model.save("nmu.keras")
keras.models.load_model("nmu.keras")
for absent in ("hydra", "omegaconf", "scipy", "tensorboard", "tensorflow_datasets"):
    try:
        __import__(absent)
    except ImportError:
        continue
    sys.exit(f"{absent} is there")
"""


@pytest.mark.slow
def test_units_need_keras_and_a_backend_alone(tmp_path):
    # JAX itself requires scipy, so that the backend here is TensorFlow.
    needed, todo = set(), ["keras", "tensorflow"]
    while todo:
        name = canonicalize_name(todo.pop())
        if name in needed:
            continue
        needed.add(name)
        required = map(Requirement, importlib.metadata.requires(name) or [])
        todo += [r.name for r in required if r.marker is None or r.marker.evaluate({"extra": ""})]
    site = tmp_path / "site"
    site.mkdir()
    for name in needed - {"tensorboard"}:
        for file in importlib.metadata.files(name) or []:
            top = file.parts[0]
            if top != ".." and not (site / top).exists():
                (site / top).symlink_to(Path(file.locate()).parents[len(file.parts) - 1] / top)
    (site / "nalu_seq").symlink_to(ROOT / "nalu_seq")
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{NOTHING_ELSE}"
    # -S: no site-packages but the folder of links.
    ended = python("-I", "-S", "-c", code, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


# The scripts. A stand-in for Python notes what it is asked, so that nothing is installed.

STAND_IN = """\
#!/usr/bin/env bash
case "$*" in
    "-I -S -c"*) exec {python} "$@" ;;
    "-m venv"*) echo venv >>"$LOG"; mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
    "-m pip"*) echo "pip ${{@: -1}}" >>"$LOG"; [[ ! -e $FAIL ]] ;;
    "-m nalu_seq.train"*) shift 2; printf '%s|' "$PWD" "$@" ;;
esac
"""
INSTALLS = ["pip wheel", "pip {}/requirements.lock", "pip {}"]


class Checkout:
    """A checkout's scripts, with a stand-in for Python on the PATH."""

    def __init__(self, folder: Path):
        self.root = folder / "checkout"
        self.log = folder / "log"
        self.fail = folder / "fail"
        self.bin = folder / "bin"
        self.bin.mkdir()
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        for name in ("requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root)
        self.environment = {"LOG": str(self.log), "FAIL": str(self.fail)}
        self.environment["PATH"] = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        self.program("python3.11", STAND_IN.format(python=shlex.quote(sys.executable)))

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def train(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [shutil.which("bash"), self.root / "scripts" / "train", *arguments]
        return subprocess.run(
            command, cwd=cwd, env=self.environment, capture_output=True, text=True
        )

    def asked(self) -> list[str]:
        """What the stand-in was asked since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.replace(str(self.root), "{}") for line in lines]


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


def test_train_installs_once_and_runs_where_it_is_called(checkout, tmp_path):
    first = checkout.train("task=count", "a b", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"{tmp_path}|task=count|a b|"
    assert checkout.asked() == ["venv", *INSTALLS]
    second = checkout.train()
    assert second.returncode == 0
    assert second.stderr == ""
    assert checkout.asked() == []


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_changed_lock_or_project_installs_again(checkout, name):
    checkout.train()
    checkout.asked()
    with open(checkout.root / name, "a") as file:
        file.write("# changed\n")
    assert checkout.train().returncode == 0
    assert checkout.asked()[-3:] == INSTALLS
    assert checkout.train().returncode == 0
    assert checkout.asked() == []


def test_failed_install_is_an_error_and_starts_anew(checkout):
    checkout.fail.touch()
    failed = checkout.train()
    assert failed.returncode != 0
    assert failed.stdout == ""
    assert checkout.asked() == ["venv", INSTALLS[0]]
    checkout.fail.unlink()
    assert checkout.train().returncode == 0
    assert checkout.asked() == ["venv", *INSTALLS]


def test_moved_checkout_installs_again(checkout):
    checkout.train()
    checkout.asked()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert checkout.train().returncode == 0
    assert checkout.asked()[-3:] == INSTALLS


def test_two_at_once_install_once(checkout):
    if not shutil.which("flock"):
        pytest.skip("no flock")
    command = [shutil.which("bash"), checkout.root / "scripts" / "train"]
    both = [subprocess.Popen(command, env=checkout.environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert checkout.asked() == ["venv", *INSTALLS]


def test_scripts_without_a_suitable_python_end_with_one_line(checkout):
    checkout.program("python3.11", "#!/bin/sh\nexit 1\n")
    for name in ("dirname", "readlink"):
        (checkout.bin / name).symlink_to(shutil.which(name))
    checkout.environment["PATH"] = str(checkout.bin)
    ended = checkout.train()
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "Python 3.11, 3.12 or 3.13" in ended.stderr
    assert not (checkout.root / ".venv").exists()
