"""A candidate whose activations are large, importable in worker processes."""

import resource
from pathlib import Path

import torch
from torch import nn

from evonas.executors.executor import Job, Listener
from evonas.history import Evaluation, Outcome
from evonas.trainer import Context
from evonas_trainers.supervised import Supervised

SAMPLES = 1024
WIDTH = 32_768


def starving(job: Job, _: Listener) -> Outcome:
    """Train a wide layer on all samples at once; return the most megabytes that were resident.

    For seconds, since a worker's memory is looked at a few times a second.
    """
    data = str(Path(job.birth.genome.settings["data"]))
    trainer = Supervised(
        data=data, epochs=20, batch_size=SAMPLES, valid_ratio=0.02, test_ratio=0.02,
        calibration_samples=16,
    )  # fmt: skip
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2))
    context = Context(
        torch.device("cpu"),
        torch.float32,
        0,
        trainer.prepare(0),
        None,
        lambda *_, **__: None,
        parts=job.parts,
    )
    trainer.train(model, context)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Evaluation({"megabytes": peak}, parts=job.parts)
