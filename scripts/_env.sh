# Sourced by the other scripts. Sets `root` to the checkout and `python` to the interpreter of its .venv,
# in which requirements.lock is installed. First makes or updates that .venv where it is needed.

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)
python=$root/.venv/bin/python
stamp=$root/.venv/nalu_seq.stamp # holds the fingerprint of what was installed, or "unfinished"

# The hash of the two files that the .venv is installed from, and the checkout's path: a moved checkout
# has another fingerprint.
fingerprint() {
    "$python" -I -S -c '
import hashlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
files = [(root / name).read_bytes() for name in ("requirements.lock", "pyproject.toml")]
print(hashlib.sha256(b"".join(files)).hexdigest(), root)' "$root"
}

ready() {
    [[ -x $python && -f $stamp ]] && [[ $(<"$stamp") == "$(fingerprint)" ]]
}

# A command on the PATH may be a stub that does not run, so each candidate is run once.
suitable() {
    "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' &>/dev/null
}

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3 python; do
        if suitable "$candidate" && "$candidate" -I -c 'import ensurepip, venv' &>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "nalu_seq: no Python 3.11, 3.12 or 3.13 with venv and pip on the PATH; install one" >&2
    return 2
}

make_venv() {
    local base
    if [[ -f $stamp && $(<"$stamp") == unfinished ]] || ! suitable "$python"; then
        base=$(find_python)
        echo "nalu_seq: making $root/.venv (once; a minute or two)" >&2
        # An interrupted install can leave a package that looks whole, so it starts anew.
        rm -rf -- "$root/.venv"
        mkdir -- "$root/.venv"
        echo unfinished >"$stamp"
        "$base" -m venv "$root/.venv"
    else
        echo "nalu_seq: updating $root/.venv" >&2
        echo unfinished >"$stamp"
        "$python" -m pip --version &>/dev/null || "$python" -m ensurepip
    fi
    # Two dependencies are published as sources only. They and nalu_seq are built with the locked
    # tools, and not in pip's build environments, which would install the newest ones.
    local pip=("$python" -m pip --quiet --disable-pip-version-check --no-input install)
    "${pip[@]}" --constraint "$root/requirements.lock" \
        hatchling hatch-fancy-pypi-readme setuptools wheel
    "${pip[@]}" --no-build-isolation --use-pep517 --requirement "$root/requirements.lock"
    "${pip[@]}" --no-build-isolation --no-deps --editable "$root"
    fingerprint >"$stamp"
}

if ! ready; then
    # The lock is on the checkout's folder, as .venv may be removed. A process that had to wait for it
    # finds the .venv ready.
    (
        if command -v flock >/dev/null; then flock 9 || true; fi
        if ! ready; then make_venv >&2; fi
    ) 9<"$root"
fi
