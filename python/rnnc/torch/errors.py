"""What is raised for wrong arguments, as a user of PyTorch expects it.

PyTorch itself raises ``RuntimeError``, ``ValueError`` or ``TypeError`` for such mistakes, depending on which function sees them
first; so each class here is two of these.
"""

from __future__ import annotations

import contextlib

import rnnc


class InputError(ValueError, RuntimeError):
    """Tensors of a shape, on a device or in a form that cannot be taken."""


class ElementError(TypeError, RuntimeError):
    """Tensors of a dtype that cannot be taken."""


class RunError(rnnc.Error, RuntimeError):
    """What the compiler or a run refuses: an ``rnnc.Error``, with its code and help."""


@contextlib.contextmanager
def refusals():
    """Refusals of a run, as errors of this module."""
    try:
        yield
    except RunError:
        raise
    except rnnc.Error as error:
        raise RunError(error.problems) from None
