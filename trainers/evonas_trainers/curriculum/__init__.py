"""Which samples come when: one file a method, each a `Curriculum` of `evonas_trainers.slots`."""
