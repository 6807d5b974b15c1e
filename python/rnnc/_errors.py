"""What rnnc raises when it refuses something."""

from typing import NamedTuple, Optional


class Problem(NamedTuple):
    """One mistake: a stable code, what is wrong, how to mend it, and where."""

    code: str
    message: str
    help: Optional[str]
    file: Optional[str]
    line: Optional[int]
    column: Optional[int]
    rendered: str


class Error(ValueError):
    """Why something was refused. ``str`` of it shows everything, with the lines of the text.

    The fields are those of the first problem; ``problems`` has all of them. ``file``, ``line`` and ``column`` (both from 1)
    are ``None`` where it is about no text. ``rnnc.explain(error.code)`` says more.

    >>> import rnnc
    >>> try:
    ...     rnnc.Library.text("cell Mine(H) { h = tanh(x }", name="cell.rnn")
    ... except rnnc.Error as error:
    ...     print(error.code, error.file, error.line)
    E0104 cell.rnn 1
    """

    def __init__(self, problems):
        super().__init__(problems)
        self.problems = tuple(Problem(*problem) for problem in problems)
        first = self.problems[0]
        self.code = first.code
        self.message = first.message
        self.help = first.help
        self.file = first.file
        self.line = first.line
        self.column = first.column

    @property
    def rendered(self) -> str:
        """Everything, as the command line shows it, without colours."""
        return "\n".join(problem.rendered for problem in self.problems)

    def __str__(self) -> str:
        return self.rendered


class DtypeError(Error, TypeError):
    """An array holds elements of another type than is needed. It is an ``Error`` and a ``TypeError``."""


for _class in (Error, DtypeError, Problem):
    _class.__module__ = "rnnc"
