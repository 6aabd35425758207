"""Make a damaged run usable: whatever is intact stays, what can be made again is made again.

A lost outcome leaves its candidate in flight: the search evaluates it anew, to the same result. A
lost birth is proposed anew from the history that it knew. Nothing is thrown away: damaged lines and
files are set aside in the folder.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import final

from evonas import config, store, teachers
from evonas.candidate import Evaluator
from evonas.config import Run
from evonas.errors import EvonasError, StoreError
from evonas.executors.executor import Job
from evonas.executors.guard import outcome_of
from evonas.genome import FINAL, Birth
from evonas.history import Evaluation, History, Individual, Outcome
from evonas.proposals import Proposals
from evonas.setup import prepare, static_sizes
from evonas.store import Record, Salvage

Told = Callable[[str], None]


def repair(folder: Path, *, retrain: bool, told: Told) -> bool:
    """Repair a run that no search is using.

    Args:
        folder: Of the run.
        retrain: Whether to train candidates again whose weights are lost.
        told: Hears what is found and what becomes of it.

    Returns:
        Whether all that is recorded is there.

    Raises:
        StoreError: if the folder cannot be written or is in use.
    """
    with store.held(folder):
        return _Repair(folder, told).all(retrain=retrain)


@final
class _Repair:
    def __init__(self, folder: Path, told: Told) -> None:
        self.folder, self.told = folder, told

    def all(self, *, retrain: bool) -> bool:
        """Mend files, journal and weights; return whether nothing is missing."""
        self.mend_files()
        self.mend_journal()
        return self.mend_weights(retrain=retrain)

    def mend_files(self) -> None:
        """Set aside the damaged ones of the files that a search makes again."""
        checks: list[tuple[str, Callable[[Path], object]]] = [
            (store.CONFIG, store.read_config),
            (store.REFERENCE, store.load_reference),
            (store.PREPARED_HASH, lambda folder: store.read_object(folder / store.PREPARED_HASH)),
            (store.PREPARED, store.check_prepared),
            (store.PREPARED, store.load_prepared),
            (teachers.FILE, teachers.kept_teachers),
        ]
        for name, check in checks:
            if not (self.folder / name).exists():
                continue
            try:
                check(self.folder)
            except StoreError:
                aside = store.set_aside(self.folder / name)
                self.told(f"{name} is damaged: moved to {aside.name}; the search makes it again")

    def mend_journal(self) -> None:
        """Write a damaged journal anew with all that is intact."""
        found = store.salvage(self.folder)
        if found.is_whole:
            self.told("the journal is intact")
            return
        births, reason = self.completed(found)
        num_beyond = store.rewrite(self.folder, found, births)
        kept = len(found.lines) - num_beyond
        self.told(
            f"{kept} lines of the journal are kept, {len(found.damaged)} damaged ones are "
            f"moved to {store.DAMAGED}"
        )
        if reason:
            self.told(f"{num_beyond} intact lines had to be moved there, too: {reason}")

    def completed(self, found: Salvage) -> tuple[list[Birth], str]:
        """Return all births up to the last, or up to one that is lost for good, and why it is."""
        births, history = list[Birth](), History()
        for number in range(1 + max((line.number for line in found.lines), default=-1)):
            try:
                births.append(found.births.get(number) or self.again(births, history, found))
            except EvonasError as error:
                return births, f"birth {number} cannot be proposed anew: {error}"
            while (known := len(history)) < len(births) and known in found.outcomes:
                history.append(Individual(known, births[known], found.outcomes[known]))
        return births, ""

    def again(self, births: list[Birth], history: History, found: Salvage) -> Birth:
        """Return the lost birth that follows `births`.

        Raises:
            EvonasError: if it cannot be told, or other lines speak against it.
        """
        number = len(births)
        if self.run.order == "finish":
            raise StoreError("a search in the order of finishing cannot be repeated")
        is_over = _is_last_training(self.run, births, found.births)
        birth = self.proposals.next(births, history, is_over=is_over)
        if birth is None:
            raise StoreError("the history that it came from is lost as well")
        if births:
            last = self.proposals.next(births[:-1], history, is_over=is_over)
            if last is None or _line(last) != _line(births[-1]):
                raise StoreError("the engine would not propose the birth before it today")
        for child in found.births.values():
            edits = birth.genome.edits
            if child.parents[:1] == (number,) and child.genome.edits[: len(edits)] != edits:
                raise StoreError("its children have other edits than are proposed today")
        if not self.fits(birth, found.outcomes.get(number)):
            raise StoreError("its outcome is of another size than what is proposed today")
        self.told(f"birth {number} was lost and is proposed anew")
        return birth

    def fits(self, birth: Birth, outcome: Outcome | None) -> bool:
        """Return whether a birth has the sizes that its outcome tells, if there is one."""
        if not isinstance(outcome, Evaluation):
            return True
        sizes = static_sizes(self.run.space, birth.genome, self.proposals.setup.signatures)
        return all(outcome.metrics.get(name, size) == size for name, size in sizes.items())

    def mend_weights(self, *, retrain: bool) -> bool:
        """Set damaged weights aside and name all that are lost; return whether none is."""
        record, _ = store.read_journal(self.folder)
        is_whole = True
        for name, teacher in teachers.kept_teachers(self.folder).items():
            if trouble := store.trouble_with(self.folder, teacher.weights):
                store.set_weights_aside(self.folder, teacher.weights)
                self.told(f"teacher {name!r}: {trouble}; the search makes it again")
        for digest, numbers in _named(record).items():
            if trouble := store.trouble_with(self.folder, digest):
                store.set_weights_aside(self.folder, digest)
                self.told(f"candidate {', '.join(map(str, numbers))}: {trouble}")
                is_whole &= retrain and self.is_made_again(record, numbers[0], digest)
        return is_whole

    def is_made_again(self, record: Record, number: int, digest: str) -> bool:
        """Train a candidate again as it was trained from its parents' weights."""
        try:
            job = self.job(record, number)
        except EvonasError as error:
            self.told(f"candidate {number} cannot be trained again: {error}")
            return False
        outcome = outcome_of(Evaluator.of(self.run, self.folder), job, lambda _: None)
        if not isinstance(outcome, Evaluation):
            self.told(f"candidate {number} failed this time ({outcome.kind}): {outcome.message}")
            return False
        is_equal = outcome.weights == digest
        verdict = "to the recorded weights, bit for bit" if is_equal else "to others than recorded"
        self.told(f"candidate {number} has been trained again, {verdict}")
        return is_equal

    def job(self, record: Record, number: int) -> Job:
        """Return the evaluation of a recorded candidate.

        Raises:
            EvonasError: if not all is known that it depends on.
        """
        birth, outcome = record.births[number], record.outcomes[number]
        history = record.history(self.run.order)
        if not self.proposals.is_ready(number, birth, history):
            raise StoreError("outcomes before it are lost; run the search, then repair again")
        parents = [
            (record.births[parent].genome, known.weights)
            for parent in birth.parents
            if isinstance(known := record.outcomes[parent], Evaluation) and known.weights
        ]
        stop_at = self.proposals.stop_at(number, birth, history)
        parts = outcome.parts if isinstance(outcome, Evaluation) else 1
        return Job(number, birth, parents, stop_at=stop_at, parts=parts)

    @cached_property
    def run(self) -> Run:
        return config.from_table(store.read_config(self.folder), self.folder.name)

    @cached_property
    def proposals(self) -> Proposals:
        return Proposals(self.run, prepare(self.run, self.folder, self.told))


def _line(birth: Birth) -> bytes:
    return store.birth_line(0, birth)


def _named(record: Record) -> Mapping[str, list[int]]:
    """Return who has which weights, the first of whom was trained to them."""
    named: dict[str, list[int]] = {}
    for number, outcome in sorted(record.outcomes.items()):
        if isinstance(outcome, Evaluation) and outcome.weights:
            named.setdefault(outcome.weights, []).append(number)
    return named


def _is_last_training(run: Run, births: list[Birth], told: Mapping[int, Birth]) -> bool:
    """Return whether the birth after `births` was of the last trainings, as its neighbours were.

    Raises:
        StoreError: if these differ, or the one after it is not known.
    """
    if run.final is None or not births:
        return False
    later = islice((told[number] for number in sorted(told) if number > len(births)), 1)
    beside = [one.operator == FINAL for one in (births[-1], *later)]
    if len(beside) < 2 or beside[0] != beside[1]:
        raise StoreError("whether it was one of the last trainings cannot be told")
    return beside[0]
