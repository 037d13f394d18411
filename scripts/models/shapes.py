"""Trains `models/shapes`: a detector of circles, squares and triangles on scenes drawn here (no outside data).

    python scripts/models/shapes.py [steps]      # 1200 steps: 90 s of CPU time; writes models/shapes/1/model.onnx
    python scripts/models/shapes.py scene        # writes only test/fixtures/shapes-scene.{rgb,json}

The model: images [batch, 3, 160, 160] float32 RGB 0 to 1 → output0 [batch, 7, 400] in YOLOv8's layout: cx, cy, w, h in input
pixels, then a score per class, for each of 20 × 20 cells of 8 pixels.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["circle", "square", "triangle"]
SIZE, CELL, CLASSES = 160, 8, 3
CELLS = SIZE // CELL
STEPS, BATCH, LIMIT_S = 1200, 12, 360
# (channels in, channels out, stride, kernel) of each convolution
LAYERS = [(3, 16, 2, 3), (16, 32, 2, 3), (32, 48, 2, 3), (48, 64, 1, 3), (64, 64, 1, 3), (64, 64, 1, 5), (64, 4 + CLASSES, 1, 1)]


def scene(rng, width=SIZE, height=SIZE, scale=1.0):
    """An image [height, width, 3] float32 0 to 1 of one to four shapes apart from each other, and (cx, cy, w, h, class) of each."""
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    low, high = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3)
    angle = rng.uniform(0, 6.28)
    t = ((xx * np.cos(angle) + yy * np.sin(angle)) / max(width, height) + 1) / 2
    image = low * (1 - t[..., None]) + high * t[..., None]
    image += rng.normal(0, 0.03, image.shape)
    boxes = []
    for _ in range(rng.integers(1, 5)):
        for _ in range(20):
            r = rng.uniform(9, 26) * scale
            cx, cy = rng.uniform([r + 1, r + 1], [width - r - 1, height - r - 1])
            if all(max(abs(cx - b[0]), abs(cy - b[1])) > r + b[2] / 2 + 3 for b in boxes):
                break
        else:
            continue
        kind = int(rng.integers(0, 3))
        colour = rng.uniform(0, 1, 3)
        behind = image[int(cy), int(cx)]
        if np.abs(colour - behind).max() < 0.3:
            colour = (behind + 0.5) % 1
        if kind == 0:
            mask = (xx - cx) ** 2 + (yy - cy) ** 2 <= r * r
        elif kind == 1:
            mask = (abs(xx - cx) <= r) & (abs(yy - cy) <= r)
        else:
            mask = (yy - cy <= r) & (yy - cy >= 2 * abs(xx - cx) - r)
        image[mask] = colour + rng.normal(0, 0.02, 3)
        boxes.append((cx, cy, 2 * r, 2 * r, kind))
    return np.clip(image, 0, 1).astype(np.float32), boxes


def batch(rng, count):
    """Images, class targets, box targets, and a mask of the cells near a shape, whose scores other than the centre's do not count."""
    images = np.zeros((count, 3, SIZE, SIZE), np.float32)
    classes = np.zeros((count, CLASSES, CELLS, CELLS), np.float32)
    boxes = np.zeros((count, 4, CELLS, CELLS), np.float32)
    near = np.zeros((count, 1, CELLS, CELLS), np.float32)
    for i in range(count):
        image, shapes = scene(rng)
        images[i] = image.transpose(2, 0, 1)
        for cx, cy, w, h, kind in shapes:
            for gy in range(CELLS):
                dy = cy - (gy + 0.5) * CELL
                if abs(dy) > CELL:
                    continue
                for gx in range(CELLS):
                    dx = cx - (gx + 0.5) * CELL
                    if abs(dx) > CELL:
                        continue
                    near[i, 0, gy, gx] = 1
                    boxes[i, :, gy, gx] = [dx / CELL, dy / CELL, np.log(w / 32), np.log(h / 32)]
                    if max(abs(dx), abs(dy)) / CELL <= 0.5:
                        classes[i, kind, gy, gx] = 1
    return images, classes, boxes, near


def train(rng, steps):
    import jax
    import jax.numpy as jnp

    def forward(p, x):
        for i, ((w, b), (_, _, stride, k)) in enumerate(zip(p, LAYERS)):
            x = jax.lax.conv_general_dilated(x, w, (stride, stride), [(k // 2, k // 2)] * 2) + b[:, None, None]
            if i < len(LAYERS) - 1:
                x = jax.nn.relu(x)
        return x

    def loss(p, images, classes, boxes, near):
        out = forward(p, images)
        z = out[:, 4:]
        probability = jax.nn.sigmoid(z)
        ignored = (near > 0) & (classes.max(1, keepdims=True) == 0)
        focal = -(
            classes * jax.nn.log_sigmoid(z) * (1 - probability) ** 2 * 2
            + (1 - classes) * jax.nn.log_sigmoid(-z) * probability**2
        )
        focal = jnp.where(ignored, 0, focal).sum() / jnp.maximum(classes.sum(), 1)
        return focal + (jnp.abs(out[:, :4] - boxes) * near).sum() / near.sum()

    @jax.jit
    def adam(p, m, v, t, rate, *targets):
        value, grads = jax.value_and_grad(loss)(p, *targets)
        m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
        v = jax.tree.map(lambda a, g: 0.99 * a + 0.01 * g * g, v, grads)
        p = jax.tree.map(lambda q, a, c: q - rate * (a / (1 - 0.9**t)) / (jnp.sqrt(c / (1 - 0.99**t)) + 1e-8), p, m, v)
        return p, m, v, value

    p = [
        [jnp.array(rng.normal(0, np.sqrt(2 / (i * k * k)), (o, i, k, k)), jnp.float32), jnp.zeros(o)] for i, o, _, k in LAYERS
    ]
    p[-1][0] *= 0.1
    p[-1][1] = p[-1][1].at[4:].set(-4.0)
    m = v = jax.tree.map(jnp.zeros_like, p)
    started = time.time()
    for t in range(1, steps + 1):
        rate = 2e-3 * min(1, t / 50) * (0.5 * (1 + np.cos(np.pi * t / steps)) + 0.01)
        p, m, v, value = adam(p, m, v, float(t), rate, *batch(rng, BATCH))
        if t % 150 == 0:
            print(f"step {t}: loss {float(value):.3f}, {time.time() - started:.0f} s", flush=True)
        if time.time() - started > LIMIT_S:
            print("time limit reached: the result depends on the machine")
            break
    return [(np.asarray(w), np.asarray(b)) for w, b in p]


def export(p, path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def constant(name, value, dtype=np.float32):
        constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def add(operator, inputs, outputs, **attributes):
        nodes.append(helper.make_node(operator, inputs, outputs, **attributes))

    last = "images"
    for i, ((w, b), (_, _, stride, k)) in enumerate(zip(p, LAYERS)):
        inputs = [last, constant(f"w{i}", w), constant(f"b{i}", b)]
        add("Conv", inputs, [f"c{i}"], strides=[stride] * 2, pads=[k // 2] * 4, kernel_shape=[k, k])
        last = f"c{i}"
        if i < len(LAYERS) - 1:
            add("Relu", [last], [f"r{i}"])
            last = f"r{i}"
    gy, gx = np.mgrid[0:CELLS, 0:CELLS]
    constant("centres", (np.stack([gx, gy]).reshape(1, 2, -1) + 0.5) * CELL)
    add("Reshape", [last, constant("flat_shape", [0, 4 + CLASSES, CELLS * CELLS], np.int64)], ["flat"])
    add("Split", ["flat", constant("parts", [2, 2, CLASSES], np.int64)], ["offset", "log_size", "logits"], axis=1)
    add("Mul", ["offset", constant("cell", float(CELL))], ["pixels"])
    add("Add", ["pixels", "centres"], ["xy"])
    add("Exp", ["log_size"], ["relative_size"])
    add("Mul", ["relative_size", constant("unit", 32.0)], ["wh"])
    add("Sigmoid", ["logits"], ["scores"])
    add("Concat", ["xy", "wh", "scores"], ["output0"], axis=1)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "shapes",
        [value("images", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [value("output0", TensorProto.FLOAT, ["batch", 4 + CLASSES, CELLS * CELLS])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    helper.set_model_props(model, {"names": str(dict(enumerate(NAMES)))})
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def iou(a, b):
    w = max(0, min(a[0] + a[2] / 2, b[0] + b[2] / 2) - max(a[0] - a[2] / 2, b[0] - b[2] / 2))
    h = max(0, min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2))
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def detect(session, image, threshold=0.4):
    out = session.run(None, {"images": image.transpose(2, 0, 1)[None]})[0][0]
    scores, kinds, kept = out[4:].max(0), out[4:].argmax(0), []
    for a in np.argsort(-scores):
        if scores[a] < threshold:
            break
        if all(iou(out[:4, a], box) < 0.5 for box, _ in kept):
            kept.append((out[:4, a], kinds[a]))
    return kept


def report(path, count=200):
    import onnxruntime

    session, rng = onnxruntime.InferenceSession(path), np.random.default_rng(99)
    right, wrong, missed, overlaps = 0, 0, 0, []
    for _ in range(count):
        image, left = scene(rng)
        for box, kind in detect(session, image):
            best = max(left, key=lambda shape: iou(box, shape), default=None)
            if best is not None and iou(box, best) > 0.5 and best[4] == kind:
                overlaps.append(iou(box, best))
                left.remove(best)
                right += 1
            else:
                wrong += 1
        missed += len(left)
    print(
        f"{count} held-out scenes: precision {right / max(1, right + wrong):.3f}, "
        f"recall {right / max(1, right + missed):.3f}, mean IoU {np.mean(overlaps):.3f}"
    )


def write_scene(folder, width=200, height=150, seed=18):
    """A scene wider than high and larger than the model's input: RGB bytes [height, width, 3] and its boxes."""
    image, shapes = scene(np.random.default_rng(seed), width, height, 1.25)
    (folder / "shapes-scene.rgb").write_bytes((image * 255).round().astype(np.uint8).tobytes())
    boxes = [
        {"name": NAMES[k], "box": [round(float(v), 2) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]}
        for x, y, w, h, k in shapes
    ]
    content = {"made_by": "scripts/models/shapes.py scene", "width": width, "height": height, "shapes": boxes}
    (folder / "shapes-scene.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else str(STEPS)
    if argument == "scene":
        write_scene(ROOT / "test/fixtures")
    else:
        target = ROOT / "models/shapes/1/model.onnx"
        export(train(np.random.default_rng(1), int(argument)), target)
        report(target)
