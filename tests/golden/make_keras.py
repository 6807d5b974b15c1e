"""Weights of Keras layers with what goes in and what comes out, for the layouts `keras` of the standard library.

    KERAS_BACKEND=torch python make_keras.py FOLDER      # tests/golden/weights

Writes keras_NAME.npz: each weight under its path in Keras, with dots (`lstm.lstm_cell.kernel`), `x` [steps, batch, …] and `y`. The bias of a GRU, two
rows in Keras, is written as the two that the layout reads; docs/weights.md says the same. Wants keras and numpy.
"""

import pathlib
import sys

import keras
import numpy as np

OUT = pathlib.Path(sys.argv[1])
T, B, I, H, O = 6, 3, 4, 5, 2


def weights(model):
    """Of a model as `rnnc import` takes them: docs/weights.md has these lines."""
    arrays = {}
    for w in model.weights:
        name, value = w.path.partition("/")[2].replace("/", "."), w.numpy()
        if name.endswith("bias") and value.ndim == 2:  # of a GRU, one for each product
            arrays[name], arrays[name[:-4] + "recurrent_bias"] = value
        else:
            arrays[name] = value
    return arrays


def keep(name, first, inputs):
    keras.utils.set_random_seed(sum(map(ord, name)))
    layers = [keras.Input(shape=inputs.shape[1:]), *first, keras.layers.Dense(O, name="dense")]
    model = keras.Sequential(layers)
    rng = np.random.default_rng(len(name))
    model.set_weights([rng.uniform(-0.7, 0.7, w.shape).astype(np.float32) for w in model.get_weights()])
    y = np.asarray(model.predict(inputs, verbose=0))
    arrays = weights(model)
    arrays["x"] = np.swapaxes(inputs, 0, 1)
    arrays["y"] = np.swapaxes(y, 0, 1)
    np.savez_compressed(OUT / f"keras_{name}.npz", **arrays)
    print(name, {n: a.shape for n, a in arrays.items()})


x = np.random.default_rng(1).normal(size=(B, T, I)).astype(np.float32)
layers = keras.layers
keep("lstm", [layers.LSTM(H, return_sequences=True, name="lstm")], x)
keep("lstm_two", [layers.LSTM(H, return_sequences=True, name="a"), layers.LSTM(H, return_sequences=True, name="b")], x)
keep("gru", [layers.GRU(H, return_sequences=True, name="gru")], x)
keep("rnn", [layers.SimpleRNN(H, return_sequences=True, name="rnn")], x)
