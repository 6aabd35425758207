"""A trainer in one file: regression on a table, with no picture and no class in sight.

The table is scikit-learn's diabetes: 442 patients, 10 features, disease progression after a year
(Least Angle Regression, Efron et al., 2004). Everything is standardised by the training rows, so
an RMSE of 1 is what predicting the mean would have.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn
from torch.nn import functional as F

from evonas import devices
from evonas.errors import ConfigError
from evonas.networks import Network, Signature, Signatures
from evonas.state import State
from evonas.trainer import Context, Stopped, Trained, Trainer

SPLITS = {"train": 262, "validation": 90, "test": 90}


@final
@dataclass(frozen=True, kw_only=True)
class TableRegression(Trainer):
    """Fit a table by Adam on the squared error.

    The metric is `rmse`, in standard deviations of the target.

    Attributes:
        epochs: Passes over the training rows.
        batch: Rows a step.
        lr: Learning rate of Adam.
    """

    paper: ClassVar[str] = "an example of docs/plugins.md"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"rmse": "min"}

    epochs: int = 10
    batch: int = 32
    lr: float = 1e-2

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1:
            raise ConfigError(f"epochs is {self.epochs}, batch {self.batch}; both are at least 1")

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        """Load the table, shuffle its rows, split and standardise them."""
        x, y = (torch.from_numpy(array).float() for array in load_diabetes(return_X_y=True))
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        rows = dict(zip(SPLITS, order.split(list(SPLITS.values())), strict=True))
        table = torch.cat([x, y[:, None]], dim=1)
        known = table[rows["train"]]
        table = (table - known.mean(0)) / known.std(0)
        return {
            f"{split}/{part}": values.contiguous()
            for split, chosen in rows.items()
            for part, values in {"x": table[chosen, :-1], "y": table[chosen, -1:]}.items()
        }

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return one network from a row to a number."""
        return {"net": Signature((prepared["train/x"].shape[1],), (1,))}

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Minimise the squared error; report the RMSE of the validation rows after each epoch."""
        optimizer = torch.optim.Adam(model.parameters(), lr=self.lr)
        if context.inherited is not None:
            context.inherited.restore_optimizer(model, optimizer)
        data = {name: tensor.to(context.device) for name, tensor in context.prepared.items()}
        order = torch.Generator().manual_seed(context.seed)
        samples, stopped, rmse = 0, False, math.inf
        with devices.seeded(context.seed, context.device):
            for epoch in range(1, self.epochs + 1):
                samples += self._epoch(model, optimizer, data, order, context)
                rmse = _rmse(model, data["validation/x"], data["validation/y"])
                try:
                    context.report(epoch, rmse=rmse)
                except Stopped:
                    stopped = True
                    break
        return Trained({"rmse": rmse}, samples, State.of(model, optimizer), stopped)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Return the RMSE of the test rows."""
        held_out = [context.prepared[f"test/{part}"].to(context.device) for part in ("x", "y")]
        return {"rmse": _rmse(model, *held_out)}

    def _epoch(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        data: Mapping[str, Tensor],
        order: torch.Generator,
        context: Context,
    ) -> int:
        """Train on every row once; return how many there are."""
        x, y = data["train/x"], data["train/y"]
        model.train()
        for rows in torch.randperm(len(x), generator=order).split(self.batch):
            with context.autocast():
                loss = F.mse_loss(model(x[rows]), y[rows])
            if not loss.isfinite():
                raise FloatingPointError("the squared error is not finite")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return len(x)


def _rmse(model: nn.Module, x: Tensor, y: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        return float(F.mse_loss(model(x).float(), y).sqrt())
