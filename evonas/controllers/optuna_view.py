"""A history of flat vectors as an Optuna study that can be asked and not changed."""

import copy
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

_STUDY = 0
_NAME = "history"
_READ_ONLY = "the history is Optuna's to read; only the engine writes it"


@final
@dataclass(frozen=True)
class Answer:
    """What a sampler proposes.

    Attributes:
        values: The vector.
        attrs: What the sampler wants to find on this trial later; JSON-native.
        study_attrs: What it wants to find on the study; JSON-native.
    """

    values: Mapping[str, Any]
    attrs: Mapping[str, Any]
    study_attrs: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Trials:
    """What a sampler may know.

    Attributes:
        finished: Trials by number, all over the same knobs.
        study_attrs: What earlier answers wanted to find on the study.
    """

    finished: tuple[FrozenTrial, ...] = ()
    study_attrs: Mapping[str, Any] = field(default_factory=dict)

    def plus(self, trial: FrozenTrial, study_attrs: Mapping[str, Any]) -> "Trials":
        """Return the trials with one more."""
        merged = {**self.study_attrs, **study_attrs} if study_attrs else self.study_attrs
        return Trials((*self.finished, trial), merged)

    def ask(
        self,
        sampler: BaseSampler,
        knobs: Mapping[str, BaseDistribution],
        number: int,
        num_losses: int,
    ) -> Answer:
        """Return what a fresh sampler proposes for the trial with this number.

        Which knobs it draws jointly depends on what all trials have in common; here that is what
        any one of them has, and Optuna need not read them all again.
        """
        trial = _trial(number, TrialState.RUNNING)
        complete = (one for one in reversed(self.finished) if one.state == TrialState.COMPLETE)
        latest = tuple(one for one in [next(complete, None)] if one is not None)
        sketch = _study(_Storage(Trials(latest), trial, num_losses), sampler)
        jointly = sampler.infer_relative_search_space(sketch, trial)
        storage = _Storage(self, trial, num_losses)
        study = _study(storage, sampler)
        joint = sampler.sample_relative(study, trial, jointly)
        for name, knob in knobs.items():
            value = joint.get(name)
            if name not in joint:
                value = sampler.sample_independent(study, trial, name, knob)
            trial.params[name] = value
            trial.distributions[name] = knob
        return Answer(trial.params, trial.system_attrs, storage.written)


def finished_trial(
    number: int,
    knobs: Mapping[str, BaseDistribution],
    values: Mapping[str, Any],
    losses: Sequence[float] | None,
    attrs: Mapping[str, Any],
) -> FrozenTrial:
    """Return a trial that came to these losses, or failed if there are none."""
    state = TrialState.FAIL if losses is None else TrialState.COMPLETE
    return _trial(number, state, knobs, values, losses, attrs)


def _trial(  # noqa: PLR0913, PLR0917 - Optuna's own fields
    number: int,
    state: TrialState,
    knobs: Mapping[str, BaseDistribution] | None = None,
    values: Mapping[str, Any] | None = None,
    losses: Sequence[float] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> FrozenTrial:
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=None,
        values=losses,
        params=dict(values or {}),
        distributions=dict(knobs or {}),
        system_attrs=dict(attrs or {}),
        user_attrs={},
        intermediate_values={},
        datetime_start=None,
        datetime_complete=None,
    )


def _study(storage: "_Storage", sampler: BaseSampler) -> optuna.Study:
    return optuna.load_study(study_name=_NAME, storage=storage, sampler=sampler)


@final
class _Storage(BaseStorage):
    """One study with its finished trials and one that is being asked for, which alone is written.

    Optuna's own storages copy every trial that is put into them: 0.1 ms each, at every proposal.
    """

    def __init__(self, trials: Trials, running: FrozenTrial, num_losses: int) -> None:
        self._trials, self._running, self._num_losses = trials, running, num_losses
        self.written: dict[str, Any] = {}

    def get_study_id_from_name(self, study_name: str) -> int:
        assert study_name == _NAME
        return _STUDY

    def get_study_name_from_id(self, study_id: int) -> str:
        assert study_id == _STUDY
        return _NAME

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        assert study_id == _STUDY
        return [StudyDirection.MINIMIZE] * self._num_losses

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        assert study_id == _STUDY
        return {}

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        assert study_id == _STUDY
        return {**self._trials.study_attrs, **self.written}

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        assert study_id == _STUDY
        self.written[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.get_trial(trial_id).system_attrs[key] = value

    def get_trial(self, trial_id: int) -> FrozenTrial:
        assert trial_id == self._running.number, "samplers read finished trials all at once"
        return self._running

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        assert study_id == _STUDY
        trials = [*self._trials.finished, self._running]
        chosen = trials if states is None else [one for one in trials if one.state in states]
        return copy.deepcopy(chosen) if deepcopy else chosen

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        raise NotImplementedError(_READ_ONLY)

    def delete_study(self, study_id: int) -> None:
        raise NotImplementedError(_READ_ONLY)

    def get_all_studies(self) -> list[Any]:
        raise NotImplementedError(_READ_ONLY)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        raise NotImplementedError(_READ_ONLY)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        raise NotImplementedError(_READ_ONLY)

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        raise NotImplementedError(_READ_ONLY)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        raise NotImplementedError(_READ_ONLY)

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        raise NotImplementedError(_READ_ONLY)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        raise NotImplementedError(_READ_ONLY)
