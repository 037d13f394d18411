"""Trains `models/sensor_gru`: a GRU that predicts the next sample of a sensor and scores how far off it was.

    python scripts/models/sensor_gru.py          # about a minute on one core; writes the model and test/fixtures/anomaly.json

Signals are generated here (no outside data): a rhythm with an overtone, a slow drift and measurement noise, in units of the
sensor's normal swing. Only normal signals are trained on; anomalies are injected afterwards, to report how well they stand out.

The hidden state h is all that is carried: the prediction for sample t is W·h[t-1] + b, so it is known before the sample comes,
and a signal cut into chunks gets the same scores as the whole one.
"""

import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = 32
LENGTH = 160  # samples of one training signal
BATCH = 64
STEPS = 2400
LIMIT_S = 150


def normal_signals(rng, count, length):
    """[count, length] float32: rhythm of 16 to 48 samples per turn, overtone, drift, noise of 0.04."""
    t = np.arange(length)[None, :]
    period = rng.uniform(16, 48, (count, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, 1))
    swing = rng.uniform(0.6, 1.2, (count, 1))
    overtone = rng.uniform(0, 0.3, (count, 1))
    drift = 0.3 * np.sin(2 * np.pi * t / rng.uniform(300, 900, (count, 1)) + rng.uniform(0, 6.28, (count, 1)))
    angle = 2 * np.pi * t / period + phase
    clean = swing * (np.sin(angle) + overtone * np.sin(2 * angle)) + drift
    return (clean + rng.normal(0, 0.04, (count, length))).astype(np.float32)


def with_spikes(rng, signals, per_signal, first):
    """Copies with `per_signal` samples moved by 0.8 to 1.6 up or down, none before `first`; and where, as booleans."""
    out, where = signals.copy(), np.zeros(signals.shape, bool)
    for row in range(len(signals)):
        for at in rng.choice(np.arange(first, signals.shape[1] - 1, 8), per_signal, replace=False):
            out[row, at] += rng.choice([-1, 1]) * rng.uniform(0.8, 1.6)
            where[row, at] = True
    return out, where


def initial(rng):
    def glorot(rows, columns):
        limit = np.sqrt(6 / (rows + columns))
        return jnp.array(rng.uniform(-limit, limit, (rows, columns)), jnp.float32)

    # Gates stacked in ONNX's order: update z, reset r, candidate n.
    return {
        "w": jnp.concatenate([glorot(HIDDEN, 1) for _ in range(3)]),
        "r": jnp.concatenate([glorot(HIDDEN, HIDDEN) for _ in range(3)]),
        "wb": jnp.concatenate([jnp.ones(HIDDEN), jnp.zeros(2 * HIDDEN)]),
        "rb": jnp.zeros(3 * HIDDEN),
        "out_w": glorot(HIDDEN, 1),
        "out_b": jnp.zeros(1),
    }


def gru(p, h, x):
    """One step as ONNX's GRU with linear_before_reset = 1: x [batch, 1], h [batch, hidden] → h [batch, hidden]."""
    wz, wr, wn = jnp.split(x @ p["w"].T + p["wb"], 3, axis=1)
    rz, rr, rn = jnp.split(h @ p["r"].T + p["rb"], 3, axis=1)
    z, r = jax.nn.sigmoid(wz + rz), jax.nn.sigmoid(wr + rr)
    return (1 - z) * jnp.tanh(wn + r * rn) + z * h


def loss(p, signals):
    def step(h, x):
        return gru(p, h, x[:, None]), (h @ p["out_w"])[:, 0] + p["out_b"]

    _, predicted = jax.lax.scan(step, jnp.zeros((signals.shape[0], HIDDEN)), signals.T)
    error = jnp.abs(predicted - signals.T)
    huber = jnp.where(error < 0.1, 5 * error**2, error - 0.05)
    return huber.mean()


@jax.jit
def adam(p, m, v, t, rate, signals):
    value, grads = jax.value_and_grad(loss)(p, signals)
    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / norm), grads)
    m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
    v = jax.tree.map(lambda a, g: 0.99 * a + 0.01 * g * g, v, grads)
    p = jax.tree.map(lambda q, a, c: q - rate * (a / (1 - 0.9**t)) / (jnp.sqrt(c / (1 - 0.99**t)) + 1e-8), p, m, v)
    return p, m, v, value


def train(rng):
    p = initial(rng)
    m = v = jax.tree.map(jnp.zeros_like, p)
    started = time.time()
    for t in range(1, STEPS + 1):
        rate = 4e-3 * min(1, t / 30) * (0.5 * (1 + np.cos(np.pi * t / STEPS)) + 0.01)
        signals = normal_signals(rng, BATCH, LENGTH)
        # A third of the signals hold a few spikes, so that one bad sample does not derail the predictions after it.
        signals[: BATCH // 3] = with_spikes(rng, signals[: BATCH // 3], 2, 8)[0]
        p, m, v, value = adam(p, m, v, float(t), rate, signals)
        if t % 100 == 0:
            print(f"step {t}: loss {float(value):.4f}, {time.time() - started:.0f} s", flush=True)
        if time.time() - started > LIMIT_S:
            print("time limit reached: the result depends on the machine")
            break
    return {name: np.asarray(value, np.float32) for name, value in p.items()}


def export(p, path):
    constants = []

    def constant(name, value, dtype=np.float32):
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    node = helper.make_node
    nodes = [
        node("Transpose", ["signal"], ["by_time"], perm=[1, 0]),  # [T, 1]
        node("Unsqueeze", ["by_time", constant("last", [2], np.int64)], ["x"]),  # [T, 1, 1]
        node("Unsqueeze", ["state_in", constant("front", [0], np.int64)], ["h0"]),  # [1, 1, H]
        node(
            "GRU",
            ["x", constant("w", p["w"][None]), constant("r", p["r"][None]),
             constant("b", np.concatenate([p["wb"], p["rb"]])[None]), "", "h0"],
            ["states_4d", "h_last"],
            hidden_size=HIDDEN,
            linear_before_reset=1,
        ),
        node("Squeeze", ["states_4d", constant("middle", [1, 2], np.int64)], ["states"]),  # [T, H]
        node("Concat", ["state_in", "states"], ["all_states"], axis=0),  # [T + 1, H]
        node("Slice", ["all_states", constant("from", [0], np.int64), constant("to", [-1], np.int64),
                       constant("axis", [0], np.int64)], ["before"]),  # the state before each sample
        node("MatMul", ["before", constant("out_w", p["out_w"])], ["projected"]),
        node("Add", ["projected", constant("out_b", p["out_b"])], ["predicted"]),  # [T, 1]
        node("Sub", ["by_time", "predicted"], ["difference"]),
        node("Abs", ["difference"], ["error"]),
        node("Transpose", ["error"], ["scores"], perm=[1, 0]),
        node("Squeeze", ["h_last", "front"], ["state_out"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "sensor_gru",
        [value("signal", TensorProto.FLOAT, [1, "samples"]), value("state_in", TensorProto.FLOAT, [1, HIDDEN])],
        [value("scores", TensorProto.FLOAT, [1, "samples"]), value("state_out", TensorProto.FLOAT, [1, HIDDEN])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def run_in_chunks(session, signal, chunks):
    """Scores [T] and the last state [H] of a signal [T] given in chunks of these lengths, the state passed on by hand."""
    state, scores, at = np.zeros((1, HIDDEN), np.float32), [], 0
    for length in chunks:
        out, state = session.run(None, {"signal": signal[None, at : at + length], "state_in": state})
        scores.append(out[0])
        at += length
    return np.concatenate(scores), state[0]


def report(session):
    rng = np.random.default_rng(99)
    signals, where = with_spikes(rng, normal_signals(rng, 100, 400), 4, 64)
    scores = np.stack([run_in_chunks(session, s, [400])[0] for s in signals])
    warm = np.arange(400)[None, :] >= 64
    after = np.zeros_like(where)  # the four samples after a spike, which a disturbed prediction raises too
    for lag in range(1, 5):
        after[:, lag:] |= where[:, :-lag]
    normal, spikes = scores[warm & ~where & ~after], scores[where]
    ranks = np.searchsorted(np.sort(normal), spikes)
    threshold = 0.4
    print(
        f"100 held-out signals: normal median {np.median(normal):.3f}, 99th percentile {np.quantile(normal, 0.99):.3f}; "
        f"spikes median {np.median(spikes):.3f}, 1st percentile {np.quantile(spikes, 0.01):.3f}; "
        f"in the 4 samples after one median {np.median(scores[after & ~where]):.3f}, "
        f"{np.mean(scores[after & ~where] > threshold):.3f} of them above the threshold; AUC {ranks.mean() / len(normal):.4f}; "
        f"threshold {threshold}: recall {np.mean(spikes > threshold):.3f}, "
        f"false alarms {np.mean(normal > threshold):.5f} per sample"
    )


def fixture(session, path):
    rng = np.random.default_rng(7)
    signal, where = with_spikes(rng, normal_signals(rng, 1, 240), 3, 64)
    chunks = [1, 31, 64, 2, 78, 64]
    scores, state = run_in_chunks(session, signal[0], chunks)
    whole, _ = run_in_chunks(session, signal[0], [240])
    print("chunked against whole: largest difference", float(np.abs(whole - scores).max()))
    plain = lambda values: [float(np.float32(value)) for value in values]
    content = {
        "made_by": "scripts/models/sensor_gru.py, Python onnxruntime, state passed on by hand",
        "chunks": chunks,
        "anomalies": np.flatnonzero(where[0]).tolist(),
        "signal": plain(signal[0]),
        "scores": plain(scores),
        "state_out": plain(state),
    }
    path.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    target = ROOT / "models/sensor_gru/1/model.onnx"
    export(train(np.random.default_rng(1)), target)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    trained = ort.InferenceSession(target, options)
    report(trained)
    fixture(trained, ROOT / "test/fixtures/anomaly.json")
