"""The trained winner in every format, compared with the searched model before it is handed out."""

from evonas.export.handover import FORMATS, TOLERANCE, export
from evonas.export.views import view_of
from evonas.export.weights import load
from evonas.export.winner import Winner, facts

__all__ = ["FORMATS", "TOLERANCE", "Winner", "export", "facts", "load", "view_of"]
