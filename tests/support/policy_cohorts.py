"""A small cohort of policies, as the engine lends it to their trainer."""

import torch
from torch import Tensor, nn

from evonas import plugins
from evonas.aggregation import Aggregation
from evonas.cohort_networks import Start, cohort_plan
from evonas.cohort_plan import CohortPlan
from evonas.cohort_preset import Available, CohortPreset
from evonas.genome import Genome
from evonas.genome.cohort import Cohort
from evonas.genome.members import NETWORK, with_members
from evonas.models import fresh_model
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.scaled import scaled
from evonas.networks import Signature
from evonas.state import State
from evonas.transfer import Transfer
from evonas_spaces.mlp import Mlp
from evonas_trainers.distillation.policies import OpdDa as Preset
from evonas_trainers.reinforcement.policy_cohort import PolicyCohort

CPU = torch.device("cpu")
ACTIONS, FEATURES = 3, 4
SIGNATURES = {NETWORK: Signature((FEATURES,), (ACTIONS + 1,))}
SPACE = Mlp(hidden=6, layers=1, activation="tanh")
OPTIONS = CohortOptions(
    losses={name: plugins.load(Transfer, name).kind for name in plugins.names(Transfer)},
    aggregators={name: plugins.load(Aggregation, name).kind for name in plugins.names(Aggregation)},
    taps=SPACE.taps,
    batch_size=64,
).without_labels()


def genome(preset: CohortPreset | None = None, width: float = 1.0) -> Genome:
    """Return a policy with a preset's cohort, whose members are so many times wider."""
    seed = SPACE.seed(SIGNATURES)
    chosen = preset or Preset()
    cohort = chosen.cohort(Available(taps=SPACE.taps(seed), depths=(), teachers={}))
    graphs = {
        name: scaled(seed.architecture[NETWORK], width)
        for name, node in cohort.nodes.items()
        if node.kind == "member"
    }
    return with_members(cohort.put_into(seed), graphs)


def lent(of: Genome, state: State | None = None) -> tuple[CohortPlan, nn.Module]:
    """Return the plan of a genome's cohort, and the candidate."""
    model = fresh_model(SPACE, of, 0)
    if state is not None:
        model.load_state_dict(dict(state.own.tensors))
    cohort = Cohort.of(of)
    assert cohort is not None
    start = Start(model=model, state=state or State({}), teachers={}, seed=0)
    return cohort_plan(of, cohort, OPTIONS, SIGNATURES, start), model


def started(of: Genome, state: State | None = None) -> PolicyCohort:
    """Return the policies of a genome in their first stage."""
    policies = PolicyCohort(*lent(of, state), ACTIONS, 0, CPU)
    policies.begin(0.0)
    return policies


def observations(seed: int = 0) -> Tensor:
    """Return what eight steps saw."""
    return torch.randn(8, FEATURES, generator=torch.Generator().manual_seed(seed))


def nothing(decisions: Tensor, others: Tensor) -> Tensor:
    """Ask for nothing, so that what is left of a loss is what others teach."""
    return 0 * (decisions.sum() + others.sum())
