"""The record of a search on disk; see `evonas.store.record`."""

from evonas.store.files import write_text
from evonas.store.journal import JOURNAL, Record, birth_line, decisions, read_journal
from evonas.store.lock import held
from evonas.store.record import Durability, Store
from evonas.store.salvage import DAMAGED, Salvage, rewrite, salvage
from evonas.store.shared import (
    CONFIG,
    PREPARED,
    PREPARED_HASH,
    REFERENCE,
    SHARED,
    check_prepared,
    load_prepared,
    load_reference,
    read_config,
    read_object,
    set_aside,
    store_prepared,
    store_reference,
    write_config,
    write_object,
)
from evonas.store.weights import (
    load_state,
    set_weights_aside,
    store_bytes,
    store_state,
    trouble_with,
    weights_path,
)

__all__ = [
    "CONFIG",
    "DAMAGED",
    "JOURNAL",
    "PREPARED",
    "PREPARED_HASH",
    "REFERENCE",
    "SHARED",
    "Durability",
    "Record",
    "Salvage",
    "Store",
    "birth_line",
    "check_prepared",
    "decisions",
    "held",
    "load_prepared",
    "load_reference",
    "load_state",
    "read_config",
    "read_journal",
    "read_object",
    "rewrite",
    "salvage",
    "set_aside",
    "set_weights_aside",
    "store_bytes",
    "store_prepared",
    "store_reference",
    "store_state",
    "trouble_with",
    "weights_path",
    "write_config",
    "write_object",
    "write_text",
]
