"""The record of a search on disk; see `evonas.store.record`."""

from evonas.store.files import write_text
from evonas.store.journal import JOURNAL, Record, decisions, read_journal, repair
from evonas.store.record import Durability, Store
from evonas.store.shared import (
    SHARED,
    load_prepared,
    load_reference,
    store_prepared,
    store_reference,
    write_config,
)
from evonas.store.weights import load_state, store_bytes, store_state, weights_path

__all__ = [
    "JOURNAL",
    "SHARED",
    "Durability",
    "Record",
    "Store",
    "decisions",
    "load_prepared",
    "load_reference",
    "load_state",
    "read_journal",
    "repair",
    "store_bytes",
    "store_prepared",
    "store_reference",
    "store_state",
    "weights_path",
    "write_config",
    "write_text",
]
