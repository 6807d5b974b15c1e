"""Runs exported models in ONNX Runtime and compares them with what rnnc says.

    python onnx_runtime.py FOLDER

FOLDER has one folder for each case: `model.onnx`, `in.npz` (what goes in, by name) and `want.npz` (what must come out). For
each case one line is printed: its name, the greatest difference, and the array it was found in; or its name, `failed` and why.
`tests/onnx_runtime.rs` makes the cases and reads the lines.

Wants onnx, onnxruntime and numpy.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort

KINDS = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


def difference(folder):
    path = str(folder / "model.onnx")
    onnx.checker.check_model(path, full_check=False)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = np.load(folder / "in.npz")
    feeds = {}
    for i in session.get_inputs() + session.get_overridable_initializers():
        if i.name in given:
            feeds[i.name] = given[i.name].astype(KINDS[i.type])
    wanted = np.load(folder / "want.npz")
    names = [o.name for o in session.get_outputs()]
    missing = set(wanted) - set(names)
    if missing:
        raise ValueError(f"no outputs {sorted(missing)}")
    worst, where = 0.0, "-"
    for name, value in zip(names, session.run(names, feeds)):
        want = wanted[name]
        value = np.asarray(value, dtype=np.float64)
        if value.shape != want.shape:
            raise ValueError(f"{name} is {value.shape}, not {want.shape}")
        same = (value == want) | (np.isnan(value) & np.isnan(want))
        apart = np.where(same, 0.0, np.abs(np.where(same, 0.0, value) - np.where(same, 0.0, want)))
        # Relative where values are great.
        apart = apart / np.maximum(1.0, np.abs(np.where(same, 1.0, want)))
        most = float(apart.max()) if apart.size else 0.0
        if not most <= worst:
            worst, where = most, name
    return worst, where


for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        worst, where = difference(folder)
        print(folder.name, worst, where)
    except Exception as e:  # what a runtime says of a model is all there is to report
        print(folder.name, "failed", " ".join(str(e).split()))
