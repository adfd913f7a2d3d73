#!/usr/bin/env python
"""Draw what examples/grid_world.py wrote: scripts/draw_grid_world.py FOLDER [--film TIME]

Writes docs/img/grid_world.png from the CSV files in the folder, and prints the table that
docs/results.md has; tests/examples/test_grid_world.py holds the page to it. With --film it also
plays an episode by each agent that the folder has, all from the same start, side by side, and
writes docs/img/grid_world.gif.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from nalu_seq.reports.figure import grid, journal, legend, save, style

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "img"
TRAINED = range(5, 13)
SHOWN = ((5, 12), (13, 16), (17, 20), (21, 30), (31, 40))  # ranges of times, a column each
CORES = {"lstm": "LSTM", "dense": "dense layers: only the unit has a state"}
UNITS = {"none": "no unit", "linear": "linear", "nac": "NAC", "nau": "NAU"}
STARTS = 20  # of the film, that are tried
PAUSE, LAST = 300, 1500  # milliseconds that a picture of the film is shown, and the last one


def read(folder: Path) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """By core and unit: the tested times `[T]`, and each seed's success `[M, T]`."""
    curves = {}
    for core in CORES:
        for unit in UNITS:
            path = folder / f"{core}_{unit}.csv"
            if path.exists():
                rows = list(csv.DictReader(path.open()))
                times = np.unique([int(row["time"]) for row in rows])
                shares = np.array([float(row["success"]) for row in rows]).reshape(-1, len(times))
                curves[core, unit] = times, shares
    if not curves:
        raise SystemExit(f"{folder}: has no file of examples/grid_world.py, such as lstm_nac.csv")
    return curves


def table(curves: dict) -> str:
    """Success in ranges of times: median over the seeds [smallest, largest], as Markdown."""
    names = [f"{first} to {last}" for first, last in SHOWN]
    lines = ["| core | unit | " + " | ".join(names) + " |", "| --- " * (2 + len(names)) + "|"]
    for (core, unit), (times, shares) in curves.items():
        cells = []
        for first, last in SHOWN:
            means = 100 * shares[:, (times >= first) & (times <= last)].mean(axis=1)
            cells.append(f"{np.median(means):.0f} % [{means.min():.0f}, {means.max():.0f}]")
        lines.append(f"| {core} | {unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@journal
def draw(curves: dict, path: Path) -> None:
    """Success against the time of arrival: the median over the seeds in a band of all of them."""
    cores = list(dict.fromkeys(core for core, _ in curves))
    figure, panels = grid(
        "scripts/draw_grid_world.py", len(cores), sharey=True, columns=2, height=2.4
    )
    for core, panel in zip(cores, panels, strict=True):
        panel.axvspan(TRAINED[0] - 0.5, TRAINED[-1] + 0.5, color="0.92", label="trained")
        for index, (unit, name) in enumerate(UNITS.items()):
            if (core, unit) in curves:
                times, shares = curves[core, unit]
                own = style(index)
                panel.plot(times, np.median(shares, axis=0), label=name, **own)
                low, high = shares.min(axis=0), shares.max(axis=0)
                panel.fill_between(times, low, high, alpha=0.15, color=own["color"], linewidth=0)
        panel.set(title=CORES[core], xlabel="time of arrival", ylim=(-0.03, 1.03))
    panels[0].set_ylabel("share of episodes in time")
    legend(figure, panels)
    save(figure, path, "scripts/draw_grid_world.py")


def film(folder: Path, time: int, path: Path) -> None:
    """An episode of each agent in the folder, all from the same start, as a GIF; a row a core.

    The start is the first from which every agent arrives at the longest time that it was trained
    on, so that what differs is how far they can count. Where there is none, it is the first.
    """
    import keras
    from PIL import Image

    import nalu_seq.units  # noqa: F401  the layers that Keras reads from a file

    curves = read(folder)
    agents = [keras.models.load_model(folder / f"{core}_{unit}.keras") for core, unit in curves]
    trained = (i for i in range(STARTS) if all(play(a, TRAINED[-1], i)[2] for a in agents))
    start = next(trained, 0)
    played = [
        (core, *play(agent, time, start)[:2])
        for (core, _), agent in zip(curves, agents, strict=True)
    ]
    units = [UNITS[unit] for _, unit in curves]
    columns = max(sum(core == other for other, *_ in played) for core in CORES)
    frames = []
    for number in range(max(len(pictures) for _, pictures, _ in played)):
        rows: dict[str, list[np.ndarray]] = {}
        for unit, (core, pictures, ending) in zip(units, played, strict=True):
            words = ending if number >= len(pictures) - 1 else f"step {number}"
            title = f"LSTM, {unit}" if core == "lstm" else f"{unit} alone"
            last = min(number, len(pictures) - 1)
            rows.setdefault(core, []).append(framed(pictures[last], title, words))
        for row in rows.values():
            row += [np.full_like(row[0], 255)] * (columns - len(row))
        whole = np.concatenate([np.concatenate(row, axis=1) for row in rows.values()])
        frames.append(Image.fromarray(whole).quantize(32))
    pauses = [PAUSE] * (len(frames) - 1) + [LAST]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=pauses, loop=0)


def play(agent: Any, time: int, start: int) -> tuple[list[np.ndarray], str, bool]:
    """An agent's episode: its pictures, how it ended in words, and whether it was in time."""
    import keras

    from nalu_seq.tasks.grid_world_env import GridWorldEnv

    env = GridWorldEnv(times=[time], render_mode="rgb_array")
    seen, _ = env.reset(seed=start)
    states = [keras.ops.zeros((1, state.shape[-1])) for state in agent.inputs[1:]]
    pictures, ended, reward = [env.render()], False, 0.0
    while not ended:
        logits, _, *states = agent([keras.ops.convert_to_tensor(seen[None]), *states])
        seen, reward, ended, _, _ = env.step(int(np.argmax(logits[0])))
        pictures.append(env.render())
    late = "too early" if env.time < time else "not there"
    return pictures, f"step {env.time}: {'in time' if reward else late}", bool(reward)


def framed(picture: np.ndarray, above: str, below: str) -> np.ndarray:
    """A picture with a line of text above and below it, `[height, width, 3]`."""
    from PIL import Image, ImageDraw

    height, width, _ = picture.shape
    whole = Image.new("RGB", (width + 12, height + 36), "white")
    whole.paste(Image.fromarray(picture), (6, 16))
    text = ImageDraw.Draw(whole)
    text.text((6, 2), above, "black")
    text.text((6, height + 18), below, "black")
    return np.asarray(whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--film", type=int, metavar="TIME", help="the time of arrival in the film")
    parser.add_argument("--output", type=Path, default=IMAGES, help="the folder of the pictures")
    chosen = parser.parse_args()
    curves = read(chosen.folder)
    draw(curves, chosen.output / "grid_world.png")
    if chosen.film:
        film(chosen.folder, chosen.film, chosen.output / "grid_world.gif")
    print(table(curves))


if __name__ == "__main__":
    main()
