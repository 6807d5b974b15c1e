"""Examples of pages, run as they stand.

A block of ``python`` with ``>>>`` in it is a session, whose results are compared; one without is a program. Those of a page go on from each
other. A block that begins with ``# not run`` is not.
"""

import contextlib
import doctest
import io
import re
from pathlib import Path

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page):
    """Line and text of each block."""
    text = Path(page).read_text(encoding="utf-8")
    for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, found.start(1)), found[1]


def run_page(page, names=None):
    """Runs all of them; gives how many there were. What fails is an AssertionError that says where."""
    names = dict(names or {}, __name__="__main__")
    count = 0
    for line, text in blocks(page):
        if text.startswith("# not run"):
            continue
        count += 1
        if ">>>" in text:
            session(page, line, text, names)
        else:
            exec(compile("\n" * line + text, str(page), "exec"), names)
    return count


def session(page, line, text, names):
    test = doctest.DocTestParser().get_doctest(text, names, str(page), str(page), line)
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.write, clear_globs=False)
    names.update(test.globs)
    assert result.failed == 0, said.getvalue()
