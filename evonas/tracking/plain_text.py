"""Text as any tracking system, database and terminal takes it: bounded, without control codes.

What goes into a record comes from plug-ins and from exceptions of any library, and what a server
answers comes from anywhere: a NUL is refused by PostgreSQL, a lone surrogate by SQLite, and an
escape sequence would be obeyed by the terminal that shows it.
"""

import re

_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_CUT = " ..."


def plain(text: str, longest: int) -> str:
    r"""Return the text with a question mark for whatever is unfit, cut where it is too long.

    >>> plain("loss\x1b[31m is nan", 100), plain("a long message", 10)
    ('loss?[31m is nan', 'a long ...')
    """
    fit = _UNFIT.sub("?", text)
    return fit if len(fit) <= longest else fit[: longest - len(_CUT)] + _CUT
