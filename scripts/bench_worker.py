"""One contestant of scripts/bench.py: made ready, it works for as long as each line of input says.

bench_worker.py CONTESTANT WORKLOAD MEMBERS [OVERRIDE ...]
"""

import json
import os
import resource
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CORES = [int(core) for core in os.environ["NALU_SEQ_CORES"].split(",")]
os.sched_setaffinity(0, CORES)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hydra  # noqa: E402
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from nalu_seq import Population  # noqa: E402
from nalu_seq.config import conf_dir, register  # noqa: E402
from nalu_seq.evaluation.measure import Evaluator  # noqa: E402
from nalu_seq.recipe import Recipe  # noqa: E402
from nalu_seq.training.optimizers import clip_each_member  # noqa: E402
from nalu_seq.training.random import Stream  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(len(CORES))
tf.config.threading.set_inter_op_parallelism_threads(len(CORES))

EXAMPLES = Path(__file__).parents[1] / "examples"
LOSS = "sparse_categorical_crossentropy"
Work = Callable[[int], Any]  # makes so many steps


def compose(overrides: list[str]) -> Recipe:
    """The recipe as the command would compose it."""
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        choices = hydra.compose("config", overrides, return_hydra_config=True).hydra.runtime.choices
        return Recipe(hydra.compose("config", overrides), dict(choices))


def population(overrides: list[str]) -> Work:
    recipe = compose(overrides)
    trainer = recipe.trainer(recipe.population())

    def work(count: int) -> None:
        trainer.run(count)

    work.steps = trainer.steps_per_call  # type: ignore[attr-defined]
    return work


class TensorFlowsDraws:
    """TensorFlow's own generator in the place of ours: what a user draws a batch with."""

    def __init__(self, batch_size: int, case: str) -> None:
        self.batch_size, self.cases = batch_size, (case,)
        self.examples, self.step = tf.range(batch_size), tf.constant(0)

        self.elsewhere = Stream([0], self.cases, "train").at(0, batch_size).elsewhere

    def uniform(self, low: Any, high: Any, count: int, *_: Any, **__: Any) -> Any:
        return tf.random.uniform([1, self.batch_size, count], low, high)

    def integers(self, low: int, high: int, count: int, *_: Any, **__: Any) -> Any:
        return tf.random.uniform([1, self.batch_size, count], low, high, tf.int32)


class OneMember:
    """One member trained plainly: a model, a tape, a Keras optimizer."""

    def __init__(self, overrides: list[str]) -> None:
        recipe = compose(overrides)
        self.recipe, self.task = recipe, recipe.task
        self.clip, self.batch_size = recipe.cfg.train.clip_norm, recipe.cfg.train.batch_size
        self.stream = Stream([0], self.task.cases[:1], "train")

    def form(self, steps: int, jit: bool, own: bool) -> Work:
        """A way to make steps: so many a call, compiled by XLA or not, drawn by ours or not."""
        model = self.recipe.build(self.task.length)
        optimizer = self.recipe._optimizer()
        optimizer.build(model.trainable_variables)
        counter = tf.Variable(0, dtype=tf.int64)

        def draw(step: Any) -> Any:
            ours = self.stream.at(step, self.batch_size)
            draws: Any = ours if own else TensorFlowsDraws(self.batch_size, self.task.cases[0])
            return self.task.train_batch(draws)

        def one(batch: Any) -> None:
            x, y = batch
            with tf.GradientTape() as tape:
                loss = self.task.loss(y, model(x[0], training=True)[None])[0]
            gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
            if self.clip:
                gradients = [
                    g[0] for g in clip_each_member([g[None] for g in gradients], self.clip)
                ]
            optimizer.apply(gradients, model.trainable_variables)
            counter.assign_add(1)

        @tf.function(jit_compile=True)
        def drawn() -> Any:
            return [draw(counter + i) for i in range(steps)]

        @tf.function(jit_compile=True)
        def train(batches: Any) -> None:
            for batch in batches:
                one(batch)

        # With our generator two programs: in one, XLA goes through its rounds again for each use.
        @tf.function(jit_compile=(jit and not own) or None)
        def call() -> None:
            if jit:
                train(drawn())
            elif steps == 1:
                one(draw(counter))
            else:
                for _ in tf.range(steps):
                    one(draw(counter))

        def work(count: int) -> None:
            for _ in range(max(1, count // steps)):
                call()

        work.steps = steps  # type: ignore[attr-defined]
        return work


def fastest(member: OneMember, forms: list[tuple[int, bool, bool]]) -> Work:
    """The fastest of several forms, by a second of each."""
    rates: list[tuple[float, Work]] = []
    for form in forms:
        work = member.form(*form)
        work(1)
        steps = per_turn(work, 0.5)
        begun = time.perf_counter()
        work(steps)
        rates.append(((time.perf_counter() - begun) / steps, work))
    return min(rates, key=lambda rate: rate[0])[1]


def users(overrides: list[str]) -> Work:
    member = OneMember(overrides)
    # A task that gathers pictures draws by words that TensorFlow's generator has no name for here.
    if "mnist" in overrides[0]:
        return fastest(member, [(1, False, True), (1, True, True)])
    return fastest(member, [(1, False, False), (1, True, True), (1, True, False)])


def best(overrides: list[str]) -> Work:
    member = OneMember(overrides)
    if "mnist" in overrides[0]:
        return fastest(member, [(10, False, True)])
    if "count" in overrides[0]:  # ten steps of an LSTM take XLA minutes to compile
        return fastest(member, [(50, False, False), (1, True, True)])
    compiled = [(steps, True, own) for steps in (10, 40) for own in (True, False)]
    return fastest(member, [(50, False, False), *compiled])


def evaluate(overrides: list[str]) -> Work:
    recipe = compose(overrides)
    evaluator = Evaluator(recipe.population(), recipe.task, recipe.task_cases, recipe.stream())

    def work(count: int) -> None:
        for _ in range(count):
            evaluator.measure("length_10000")

    return work


def example(name: str, members: int, together: bool) -> Work:
    """Keras' own fit, or a population's, an epoch of an example; a step is one batch of 32."""
    given = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    x, y = given["x"], given["y"]
    if together:
        made: Any = Population(given["build"], members, loop=name == "convnet")
    else:
        keras.utils.set_random_seed(0)
        made = given["build"]()
    made.compile("adam", LOSS, metrics=["accuracy"])
    steps = -(-len(x) // 32)

    def work(count: int) -> None:
        made.fit(x, y, epochs=max(1, round(count / steps)), verbose=0)

    work.steps = steps  # type: ignore[attr-defined]
    return work


def per_turn(work: Work, seconds: float) -> int:
    """How many steps take about so long; whole calls of many steps."""
    whole = getattr(work, "steps", 1)
    steps = whole
    while True:
        begun = time.perf_counter()
        work(steps)
        took = time.perf_counter() - begun
        if took > seconds / 4:
            return max(whole, round(steps * seconds / took / whole) * whole)
        steps *= 4


def main() -> None:
    name, workload, members = sys.argv[1], sys.argv[2], int(sys.argv[3])
    overrides = sys.argv[4:]
    begun = time.perf_counter()
    if workload.startswith("keras_"):
        work = example(workload.removeprefix("keras_"), members, name == "population")
    elif workload == "evaluate":
        work = evaluate(overrides)
    elif name == "floor":
        from bench_floors import floor

        work = floor(workload, members, compose(overrides))
    else:
        work = {"population": population, "users": users, "best": best}[name](overrides)
    whole = getattr(work, "steps", 1)
    built = time.perf_counter() - begun
    work(whole)
    first = time.perf_counter() - begun
    print(json.dumps({"build_seconds": built, "first_step_seconds": first}), flush=True)
    steps = None
    for line in sys.stdin:
        steps = steps or per_turn(work, float(line))
        begun = time.perf_counter()
        work(steps)
        took = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {"member_steps": steps * members, "seconds": took, "peak_mib": peak}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
