"""Text for a terminal, in which nothing moves the cursor, changes a colour or hides what follows.

Messages, names and settings may come from a folder, or a program, that is not the reader's own.
"""


def printable(text: str) -> str:
    r"""Return text with its lines as they are, and all else that cannot be printed written out.

    >>> printable("red: \x1b[31m")
    'red: \\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text
    )
