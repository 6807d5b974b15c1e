"""The training script, and the same with a cell as equations: two lines apart, and both learn."""

import difflib
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "drop_in"
SCRIPTS = ["vowels_torch.py", "vowels_rnnc.py"]


def changes() -> list[str]:
    texts = [(FOLDER / script).read_text(encoding="utf-8").splitlines() for script in SCRIPTS]
    return [line for line in difflib.ndiff(*texts) if line[:2] in ("+ ", "- ")]


def test_two_lines_differ():
    new = [line for line in changes() if line.startswith("+ ")]
    old = [line for line in changes() if line.startswith("- ")]
    assert len(new) == 2 and len(old) == 1
    assert "nn.LSTM" in old[0]


def test_the_readme_shows_them():
    shown = re.search(r"```diff\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert sorted(line[1:].strip() for line in shown.splitlines()) == sorted(line[2:].strip() for line in changes())


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_learns(script):
    run = subprocess.run(
        [sys.executable, str(FOLDER / script), "--epochs", "8", "--examples", "54"], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", run.stdout)]
    assert len(losses) == 8 and losses[-1] < 0.85 * losses[0], run.stdout
    assert re.search(r"held out: [\d.]+% right", run.stdout)
