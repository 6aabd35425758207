"""One ranking of all filters of a network."""

import pytest

from evonas.errors import EditError
from evonas.genome.cost import macs
from evonas.genome.pruning import Kept
from evonas.morph.keep import Prunable
from evonas.morph.ranking import ranked
from evonas.morph.repair import KEPT, Budget
from evonas.networks import Signature
from evonas.seeds import stream
from evonas_spaces.eena import Eena

SPACE = Eena(stem=40, width=40, last=80)
SEED = SPACE.seed({"net": Signature((3, 16, 16), (10,))})
SIZES = {"net/stem.conv:0": 40, "net/*.conv:0": 40, "net/last.conv:0": 80}
WHOLE = macs(SEED.architecture["net"])
NORMS = {
    name: tuple(stream(0, name).uniform(1, 1 + number, size).tolist())
    for number, (name, size) in enumerate(SIZES.items(), start=1)
}


def test_the_ranking_by_the_norm_alone_takes_the_smallest_norms_of_the_network() -> None:
    budget = Budget(Prunable.of(SEED, "inner"), KEPT, 0.0)
    kept = ranked(budget, NORMS, {}, 100)
    cut = sorted(norm for norms in NORMS.values() for norm in norms)[60]
    assert kept == {
        name: Kept(sum(norm >= cut for norm in norms), len(norms)) for name, norms in NORMS.items()
    }


def test_a_larger_factor_keeps_more_of_its_group() -> None:
    budget = Budget(Prunable.of(SEED, "inner"), "macs", 0.1)
    few = ranked(budget, NORMS, {}, WHOLE / 2)["net/stem.conv:0"]
    more = ranked(budget, NORMS, {"net/stem.conv:0": (3.0, 0.0)}, WHOLE / 2)["net/stem.conv:0"]
    assert more.keep > few.keep


def test_norms_of_another_network_are_refused() -> None:
    budget = Budget(Prunable.of(SEED, "inner"), KEPT, 0.0)
    with pytest.raises(EditError, match="has 40 filters, and 3 norms"):
        ranked(budget, {"net/stem.conv:0": (1.0, 2.0, 3.0)}, {}, 100)
