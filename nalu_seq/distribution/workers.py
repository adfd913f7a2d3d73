"""The processes of one training: how they agree on values, and what happens if one is lost."""

import contextlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.errors import silence_stderr

LONGEST_PATH = 4096


class Workers:
    """The processes that share a strategy's batches: several with `multi_worker`, else one.

    All processes make the same steps and the same measurements, so that a signal that ends the
    training in one must end it in all. The first process leads: its files are the run, while the
    others write to a folder that is removed.

    Args:
        strategy: the strategy.

    Attributes:
        count: the number of processes.
        index: the index of this process among them.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        resolver = strategy.cluster_resolver
        self.addresses = resolver.cluster_spec().as_dict().get("worker", []) if resolver else []
        self.count = max(len(self.addresses), 1)
        self.index = resolver.task_id if self.count > 1 else 0

        @tf.function
        def leaders(values: Any) -> Any:
            def mine(values: Any) -> Any:
                replica = tf.distribute.get_replica_context()
                of_first = tf.where(replica.replica_id_in_sync_group == 0, values, 0)
                return replica.all_reduce(tf.distribute.ReduceOp.SUM, of_first)

            return strategy.experimental_local_results(strategy.run(mine, args=(values,)))[0]

        @tf.function
        def total(values: Any) -> Any:
            def mine(values: Any) -> Any:
                return tf.distribute.get_replica_context().all_reduce(
                    tf.distribute.ReduceOp.SUM, tf.identity(values)
                )

            return strategy.experimental_local_results(strategy.run(mine, args=(values,)))[0]

        self._leaders, self._total = leaders, total

    def leaders(self, value: float) -> float:
        """The value of the first worker; all workers wait here until each has called it.

        Args:
            value: this worker's value.
        """
        return value if self.count == 1 else float(self._leaders(np.float64(value)))

    def any(self, flag: bool) -> bool:
        """Whether a flag is set on any worker; all workers wait here until each has called it.

        Args:
            flag: this worker's flag.
        """
        return flag if self.count == 1 else bool(self._total(np.float64(flag)) > 0)

    @contextlib.contextmanager
    def place(self, directory: Path, resume: bool) -> Iterator[Path]:
        """The folder that this worker writes to: the run's directory for the leader.

        When a worker is lost, the program ends with exit code 1 and a line that names the worker.

        Args:
            directory: the run's directory; the leader's value counts.
            resume: whether the directory holds a run to go on with, which all workers must be able
                to read.
        """
        if self.count == 1:
            yield directory
            return
        try:
            with silence_stderr(tf.errors.OpError, SystemExit), contextlib.ExitStack() as stack:
                directory = place = self._leaders_path(directory)
                if self.index > 0:
                    place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                    nowhere = stack.enter_context(open(os.devnull, "w"))
                    stack.enter_context(contextlib.redirect_stdout(nowhere))
                    if resume:
                        shutil.copytree(directory, place, dirs_exist_ok=True)
                # The leader writes nothing before the others have copied the run.
                self.any(False)
                # A worker that ended earlier would count as lost for those that still train.
                stack.callback(self.any, False)
                yield place
        except tf.errors.OpError as error:
            self._leave(error, directory)

    def _leaders_path(self, directory: Path) -> Path:
        path_bytes = str(directory.absolute()).encode()[:LONGEST_PATH]
        numbers = np.zeros(LONGEST_PATH, np.int32)
        numbers[: len(path_bytes)] = list(path_bytes)
        path = self._leaders(numbers).numpy().astype(np.uint8).tobytes()
        return Path(path.rstrip(b"\0").decode())

    def _leave(self, error: tf.errors.OpError, directory: Path) -> None:
        """End the program at once: TensorFlow would wait for the lost worker."""
        indices = sorted({int(i) for i in re.findall(r"task:(\d+)", str(error))} - {self.index})
        lost_indices = [i for i in indices if i < self.count] or [0]
        names = ", ".join(f"worker {i} ({self.addresses[i]})" for i in lost_indices)
        print(
            f"nalu_seq: {names} is lost; once all workers can start again, go on on each with: "
            f"python -m nalu_seq.train resume={shlex.quote(str(directory))}",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)
