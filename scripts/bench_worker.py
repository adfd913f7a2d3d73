"""One contestant of scripts/bench.py: made ready, it works for as long as each line of input says.

bench_worker.py CONTESTANT WORKLOAD MEMBERS [OVERRIDE ...]
"""

import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

CORES = [int(core) for core in os.environ["NALU_SEQ_CORES"].split(",")]
os.sched_setaffinity(0, CORES)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hydra  # noqa: E402
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from bench_turns import Work, per_turn, take_turns  # noqa: E402

from nalu_seq import Population  # noqa: E402
from nalu_seq.config.options import conf_dir  # noqa: E402
from nalu_seq.config.schema import Strategy, Train, register  # noqa: E402
from nalu_seq.distribution.cores import threads  # noqa: E402
from nalu_seq.evaluation.measure import Evaluator  # noqa: E402
from nalu_seq.experiment.experiment import Experiment  # noqa: E402
from nalu_seq.models.convnet import Convnet  # noqa: E402
from nalu_seq.population.clipping import clip_each_member  # noqa: E402
from nalu_seq.population.random import Draws, Stream, threefry2x32  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(len(CORES))
tf.config.threading.set_inter_op_parallelism_threads(len(CORES))
tf.config.experimental.enable_op_determinism()  # as the command does
tf.random.set_seed(0)  # TensorFlow draws nothing without a seed then

EXAMPLES = Path(__file__).parents[1] / "examples"
LOSS = "sparse_categorical_crossentropy"


def compose(overrides: list[str], population: bool = False) -> Experiment:
    """The experiment as the command would compose it; a `population` with its threads and parts."""
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        choices = hydra.compose("config", overrides, return_hydra_config=True).hydra.runtime.choices
        cfg = hydra.compose("config", overrides)
    if population:
        count = threads(Train(**cfg.train), Strategy(**cfg.strategy))
        tf.config.threading.set_intra_op_parallelism_threads(count)
    experiment = Experiment(cfg, dict(choices))
    if population:
        experiment.fix_machine_settings()
    return experiment


def population(overrides: list[str]) -> Work:
    experiment = compose(overrides, population=True)
    trainer = experiment.trainer(experiment.population())

    def work(count: int) -> None:
        trainer.run(count)

    work.steps = 10  # type: ignore[attr-defined]
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


class StackedDraws(Draws):
    """Our numbers by another road, for one program that draws and trains.

    There XLA makes each number where it is used, and the halves of a longer word, which are faster
    to draw on their own, cost it more than two words side by side.
    """

    def uniform(self, low: Any, high: Any, count: int, *_: Any, **__: Any) -> Any:
        def numbers(*counters: Any) -> Any:
            words = tf.bitwise.right_shift(tf.stack(threefry2x32(*counters), axis=-1), 8)
            return low + (high - low) * (tf.cast(words, tf.float32) * 2.0**-24)

        return self._draw(numbers, count, 0, 0)


class OneMember:
    """One member trained plainly: a model, a tape, a Keras optimizer."""

    def __init__(self, overrides: list[str]) -> None:
        experiment = compose(overrides)
        self.experiment, self.task = experiment, experiment.task
        self.clip, self.batch_size = experiment.cfg.train.clip_norm, experiment.cfg.train.batch_size
        self.stream = Stream([0], self.task.cases[:1], "train")

    def draws(self, source: str, step: Any) -> Any:
        """A step's draws: ours as the engine makes them, ours stacked, or TensorFlow's."""
        if source == "tensorflow":
            return TensorFlowsDraws(self.batch_size, self.task.cases[0])
        ours = self.stream.at(step, self.batch_size)
        if source == "ours":
            return ours
        return StackedDraws(self.stream, step, self.batch_size, ours.examples)

    def form(self, steps: int, jit: bool, source: str) -> Work:
        """A way to make steps: so many a call, compiled by XLA or not, drawn by which generator."""
        model = self.experiment.build(self.task.length)
        optimizer = self.experiment.optimizer()
        optimizer.build(model.trainable_variables)
        counter = tf.Variable(0, dtype=tf.int64)

        def draw(step: Any) -> Any:
            return self.task.train_batch(self.draws(source, step))

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

        # With the engine's draws two programs: in one, XLA goes through the rounds at each use.
        @tf.function(jit_compile=(jit and source != "ours") or None)
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


def fastest(member: OneMember, forms: list[tuple[int, bool, str]]) -> Work:
    """The fastest of several forms, by a second of each."""
    works = [member.form(*form) for form in forms]
    return min(works, key=seconds_a_step)


def seconds_a_step(work: Work) -> float:
    """After it was compiled."""
    work(1)
    steps = per_turn(work, 0.5)
    begun = time.perf_counter()
    work(steps)
    return (time.perf_counter() - begun) / steps


def users(overrides: list[str]) -> Work:
    member = OneMember(overrides)
    # A task that gathers pictures draws by words that TensorFlow's generator has no name for here.
    # XLA has no deterministic gradient of its convnet's pooling.
    if "mnist" in overrides[0]:
        return fastest(member, [(1, False, "ours")])
    return fastest(member, [(1, False, "tensorflow"), (1, True, "ours"), (1, True, "tensorflow")])


def best(overrides: list[str]) -> Work:
    member = OneMember(overrides)
    if "mnist" in overrides[0]:
        return fastest(member, [(10, False, "ours")])
    if "count" in overrides[0]:  # ten steps of an LSTM take XLA minutes to compile
        return fastest(member, [(50, False, "tensorflow"), (1, True, "ours")])
    sources = ("ours", "stacked", "tensorflow")
    compiled = [(steps, True, source) for steps in (10, 40) for source in sources]
    return fastest(member, [(50, False, "tensorflow"), *compiled])


def frames(overrides: list[str]) -> Work:
    """The same convnet called for one time step after the other, unrolled or in a graph's loop."""

    def unrolled(self: Convnet, x: Any) -> Any:
        return tf.stack([self.network(x[:, t]) for t in range(x.shape[1])], axis=1)

    def looped(self: Convnet, x: Any) -> Any:
        y = tf.map_fn(self.network, tf.einsum("bt...->tb...", x), fn_output_signature=tf.float32)
        return tf.transpose(y, [1, 0, 2])

    works = {}
    for call in (unrolled, looped):
        Convnet.call = call  # type: ignore[method-assign]
        work = OneMember(overrides).form(1, False, "ours")
        works[seconds_a_step(work)] = work  # traced by now, so it keeps its way of calling
    return works[min(works)]


def evaluate(overrides: list[str]) -> Work:
    experiment = compose(overrides)
    evaluator = Evaluator(
        experiment.population(), experiment.task, experiment.members, experiment.stateful_model()
    )

    def work(count: int) -> None:
        for _ in range(count):
            evaluator.measure("length_10000")

    return work


def example(name: str, members: int, together: bool) -> Work:
    """Keras' own fit, or a population's, an epoch of an example; a step is one batch of 32.

    `mlp_dropout` is the example with dropout before its last layer, `mlp_stopping` with an
    EarlyStopping that looks at each epoch and never stops.
    """
    name, _, variant = name.partition("_")
    given = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    x, y, build = given["x"], given["y"], given["build"]

    def with_dropout() -> keras.Model:
        model = build()
        *layers, last = model.layers
        shape = keras.Input(model.input_shape[1:])
        return keras.Sequential([shape, *layers, keras.layers.Dropout(0.2), last])

    chosen = with_dropout if variant == "dropout" else build
    if together:
        made: Any = Population(chosen, members, loop=name == "convnet")
    else:
        keras.utils.set_random_seed(0)
        made = chosen()
    made.compile("adam", LOSS, metrics=["accuracy"])
    steps = -(-len(x) // 32)

    def work(count: int) -> None:
        stopping = keras.callbacks.EarlyStopping("loss", patience=10**6)
        callbacks = [stopping] if variant == "stopping" else []
        made.fit(x, y, epochs=max(1, round(count / steps)), callbacks=callbacks, verbose=0)

    work.steps = steps  # type: ignore[attr-defined]
    return work


def main() -> None:
    name, workload, members = sys.argv[1], sys.argv[2], int(sys.argv[3])
    overrides = sys.argv[4:]
    forms = {"population": population, "users": users, "best": best, "keras": users}

    def make() -> Work:
        if workload.startswith("keras_"):
            return example(workload.removeprefix("keras_"), members, name == "population")
        if workload == "evaluate":
            return evaluate(overrides)
        if name == "floor":
            from bench_floors import floor

            return floor(workload, members, compose(overrides))
        return {**forms, "frames": frames}[name](overrides)

    take_turns(make, members)


if __name__ == "__main__":
    main()
