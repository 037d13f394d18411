#!/usr/bin/env python3
"""Rewrites the converted models of models/holistic so that ONNX Runtime runs them faster on a CPU, with the same results.

    pip install -r scripts/models/requirements.txt
    python scripts/models/optimise_holistic.py CONVERTED OUT [name ...]

CONVERTED has the files as they were converted, `<name>.onnx` or `<name>/1/model.onnx`; `<name>/1/model.onnx` is written into OUT.
ONNX Runtime keeps activations in blocks of 16 channels (NCHWc) from one convolution to the next, but leaves that layout for
operators that it has no blocked kernel of, and for numbers of channels that 16 does not divide. What is done about it:

* PRelu (0.4 ms for 16 × 96 × 96 values) becomes a·x + (1 − a)·max(x, 0): convolutions of one pixel per channel,
  of which the second adds up in place;
* channels are padded with zeros to a multiple of 16, where only operators follow that keep them zero;
* Pad of channels, and Transpose–Slice–Transpose that takes the first of them, become convolutions of one pixel;
* outputs that are not always read become a model of their own: half of pose_landmark_* was its segmentation.

Weights that do not change stay as they are, in float16 behind a Cast; new ones are float32, so nothing is rounded. Each model
is compared with its original over random inputs at the end.
"""
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper, shape_inference

BLOCK = 16

# Of these the channels are only passed on, and zeros stay zeros.
PASSING = {'Relu', 'MaxPool', 'AveragePool'}

# What is made: of which converted model, with which of its outputs (None: all). Models that would not get faster are not here.
POSE = ['landmarks', 'pose_flag', 'heatmap', 'world_landmarks']
MADE = {
    'face_detection_short_range': ('face_detection_short_range', None),
    'face_landmark': ('face_landmark', None),
    'face_landmark_with_attention': ('face_landmark_with_attention', None),
    'hand_recrop': ('hand_recrop', None),
    'iris_landmark': ('iris_landmark', None),
    'palm_detection_full': ('palm_detection_full', None),
    'pose_landmark_full': ('pose_landmark_full', POSE),
    'pose_landmark_lite': ('pose_landmark_lite', POSE),
    'pose_segmentation_full': ('pose_landmark_full', ['segmentation']),
    'pose_segmentation_lite': ('pose_landmark_lite', ['segmentation']),
}

# Largest difference from the original's outputs over the largest value of that output.
TOLERANCE = 1e-4


def blocked(channels):
    return -(-channels // BLOCK) * BLOCK


class Graph:
    """A model's nodes in order, with the values of constants and the shapes of all else."""

    def __init__(self, model):
        self.model = model
        self.nodes = list(model.graph.node)
        self.constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        self.fresh = 0
        inferred = shape_inference.infer_shapes(model).graph
        self.shapes = {each.name: [dim.dim_value for dim in each.type.tensor_type.shape.dim]
                       for each in [*inferred.value_info, *inferred.input, *inferred.output]}
        self.outputs = {each.name for each in model.graph.output}
        self.casts = {node.output[0]: node.input[0] for node in self.nodes
                      if node.op_type == 'Cast' and node.input[0] in self.constants}
        self.nodes = [node for node in self.nodes if node.output[0] not in self.casts]
        self.index()

    def index(self):
        self.producer = {name: node for node in self.nodes for name in node.output}
        self.users = {}
        for node in self.nodes:
            for name in node.input:
                self.users.setdefault(name, []).append(node)

    def constant(self, name):
        """The value of a constant, also behind a Cast, as it is stored."""
        return self.constants.get(self.casts.get(name, name))

    def name(self, hint):
        self.fresh += 1
        return f'{hint}_o{self.fresh}'

    def add_constant(self, value, hint='w'):
        """A name for a constant; one of float16 is read as float32."""
        name = self.name(hint)
        self.constants[name] = np.ascontiguousarray(value)
        if value.dtype != np.float16:
            return name
        cast = self.name(hint)
        self.casts[cast] = name
        return cast

    def conv(self, x, weight, output, group, bias=None):
        """A convolution of one pixel."""
        inputs = [x, self.add_constant(weight)] + ([] if bias is None else [self.add_constant(bias)])
        return helper.make_node('Conv', inputs, [output], name=self.name('conv'), group=group, kernel_shape=[1, 1])

    def write(self, path):
        used, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if any(name in used for name in node.output):
                kept.append(node)
                used.update(node.input)
        casts = [name for name in self.casts if name in used]
        used.update(self.casts[name] for name in casts)
        graph = self.model.graph
        outputs = [each for each in graph.output if each.name in self.outputs]
        del graph.node[:], graph.initializer[:], graph.output[:], graph.value_info[:]
        graph.output.extend(outputs)
        graph.initializer.extend(numpy_helper.from_array(value, name)
                                 for name, value in self.constants.items() if name in used)
        graph.node.extend(helper.make_node('Cast', [self.casts[name]], [name], name=self.name('cast'), to=1) for name in casts)
        graph.node.extend(reversed(kept))
        onnx.checker.check_model(self.model, full_check=True)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        onnx.save(self.model, path)


def attributes(node):
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def replace_slices(graph):
    """Transpose, Slice of the first channels, Transpose back: a convolution that passes them on."""
    for at, node in enumerate(graph.nodes):
        if node.op_type != 'Slice':
            continue
        before, after = graph.producer.get(node.input[0]), graph.users.get(node.output[0], [])
        if before is None or before.op_type != 'Transpose' or len(after) != 1 or after[0].op_type != 'Transpose':
            continue
        if attributes(before)['perm'] != [0, 2, 3, 1] or attributes(after[0])['perm'] != [0, 3, 1, 2]:
            continue
        given, taken = graph.shapes[before.input[0]], graph.shapes[after[0].output[0]]
        starts = graph.constant(node.input[1])
        if given[2:] != taken[2:] or np.any(starts != 0):
            continue
        graph.nodes[at] = graph.conv(before.input[0], np.eye(taken[1], given[1], dtype='f')[:, :, None, None], after[0].output[0], 1)
        graph.nodes.remove(after[0])
    graph.index()


def replace_channel_pads(graph):
    """
    Pad of channels with zeros behind the last: a convolution that passes them on.
    Returns the names of those nodes.
    """
    names = []
    for at, node in enumerate(graph.nodes):
        if node.op_type != 'Pad' or len(node.input) != 2:
            continue
        pads = graph.constant(node.input[1]).tolist()
        if len(pads) != 8 or pads[:5] != [0] * 5 or pads[6:] != [0, 0] or pads[5] == 0:
            continue
        channels = graph.shapes[node.input[0]][1]
        weight = np.eye(channels + pads[5], channels, dtype='f')[:, :, None, None]
        graph.nodes[at] = graph.conv(node.input[0], weight, node.output[0], 1)
        names.append(graph.nodes[at].name)
    graph.index()
    return names


def replace_prelus(graph):
    """PRelu(x) = a·x + (1 − a)·max(x, 0), where 1 − a ≥ 0 as a·x + max((1 − a)·x, 0), which is one pass less."""
    nodes = []
    for node in graph.nodes:
        slope = graph.constant(node.input[1]) if node.op_type == 'PRelu' else None
        shape = graph.shapes.get(node.input[0], [])
        if slope is None or len(shape) != 4 or slope.size != shape[1]:
            nodes.append(node)
            continue
        x, z, channels = node.input[0], node.output[0], shape[1]
        slope = slope.astype('f').reshape(channels, 1, 1, 1)
        straight, bent, inner = graph.name('straight'), graph.name('bent'), graph.name('inner')
        if np.all(slope <= 1):
            nodes.append(graph.conv(x, 1 - slope, inner, channels))
            nodes.append(helper.make_node('Relu', [inner], [bent], name=graph.name('relu')))
        else:
            nodes.append(helper.make_node('Relu', [x], [inner], name=graph.name('relu')))
            nodes.append(graph.conv(inner, 1 - slope, bent, channels))
        nodes.append(graph.conv(x, slope, straight, channels))
        nodes.append(helper.make_node('Add', [straight, bent], [z], name=graph.name('add')))
        for name in (straight, bent, inner):
            graph.shapes[name] = shape
    graph.nodes = nodes
    graph.index()


def is_clip_of_zero(graph, node):
    low, high = (graph.constant(name) for name in node.input[1:3])
    return low is not None and high is not None and low <= 0 <= high


def takes_blocks(graph, node, name):
    """Whether an operator does what it did when `name` has further channels of zeros, and it may have them itself."""
    if node.op_type == 'Conv':
        return node.input[0] == name and (attributes(node).get('group', 1) in (1, graph.shapes[name][1]))
    if node.op_type in PASSING:
        return True
    if node.op_type == 'Clip':
        return is_clip_of_zero(graph, node)
    if node.op_type == 'Add':
        return all(graph.shapes.get(each) == graph.shapes[name] for each in node.input)
    return False


def tied(graph, node):
    """Values that have the same channels as the node's output."""
    if node.op_type == 'Conv':
        return [node.input[0]] if attributes(node).get('group', 1) == graph.shapes[node.input[0]][1] else []
    return [name for name in node.input if graph.constant(name) is None and name != '']


def widths(graph):
    """Values that get further channels: those that 16 does not divide, wherever all around can deal with that."""
    wide = {name for name, shape in graph.shapes.items()
            if len(shape) == 4 and name in graph.producer and name not in graph.outputs
            and shape[1] % BLOCK != 0 and shape[1] > 4}
    changed = True
    while changed:
        changed = False
        for name in sorted(wide):
            node = graph.producer[name]
            fits = (takes_blocks(graph, node, node.input[0]) and all(each in wide for each in tied(graph, node))
                    and all(takes_blocks(graph, user, name) for user in graph.users.get(name, []))
                    and all(user.output[0] in wide for user in graph.users.get(name, []) if user.op_type != 'Conv'
                            or attributes(user).get('group', 1) == graph.shapes[name][1]))
            if not fits:
                wide.discard(name)
                changed = True
    return wide


def drop_needless_pads(graph, pads):
    """Of those convolutions that only added channels, the ones whose input has them already."""
    renamed = {}
    for node in list(graph.nodes):
        for at, name in enumerate(node.input):
            node.input[at] = renamed.get(name, name)
        if node.name in pads and graph.constant(node.input[1]).shape[0] == graph.constant(node.input[1]).shape[1]:
            renamed[node.output[0]] = node.input[0]
            graph.nodes.remove(node)
    graph.index()


def grown(value, shape):
    result = np.zeros(shape, value.dtype)
    result[tuple(slice(0, size) for size in value.shape)] = value
    return result


def pad_channels(graph):
    wide = widths(graph)
    for node in graph.nodes:
        if node.op_type != 'Conv' or not (node.input[0] in wide or node.output[0] in wide):
            continue
        weight = graph.constant(node.input[1])
        group = attributes(node).get('group', 1)
        count = blocked(weight.shape[0]) if node.output[0] in wide else weight.shape[0]
        if group == 1:
            depth = blocked(weight.shape[1]) if node.input[0] in wide else weight.shape[1]
        else:
            depth = 1
            next(each for each in node.attribute if each.name == 'group').i = count
        node.input[1] = graph.add_constant(grown(weight, (count, depth, *weight.shape[2:])))
        if len(node.input) > 2:
            node.input[2] = graph.add_constant(grown(graph.constant(node.input[2]), (count,)))
    graph.index()


def compare(original, path, name):
    """Prints the largest differences of outputs over random inputs, as shares of their largest values; ends where they are large."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    before, after = (onnxruntime.InferenceSession(each, options, providers=['CPUExecutionProvider']) for each in (original, path))
    given = before.get_inputs()[0]
    outputs = [each.name for each in after.get_outputs()]
    worst = dict.fromkeys(outputs, 0.0)
    random = np.random.default_rng(7)
    for _ in range(8):
        cells = random.random((1, 8, 8, 3))
        image = np.kron(cells, np.ones((1, given.shape[1] // 8, given.shape[2] // 8, 1))) * 0.8 + random.random(given.shape) * 0.2
        feeds = {given.name: image.astype('f')}
        for output, old, new in zip(outputs, before.run(outputs, feeds), after.run(outputs, feeds)):
            worst[output] = max(worst[output], float(np.abs(old - new).max() / max(1, np.abs(old).max())))
    print(f'{name}:', ', '.join(f'{output} {share:.1e}' for output, share in worst.items()))
    if max(worst.values()) > TOLERANCE:
        sys.exit(f'{name}: differences of at most {TOLERANCE} expected')


def optimise(source, name, outputs, out):
    graph = Graph(onnx.load(source))
    graph.outputs = set(outputs or graph.outputs)
    replace_slices(graph)
    pads = replace_channel_pads(graph)
    replace_prelus(graph)
    pad_channels(graph)
    drop_needless_pads(graph, pads)
    path = os.path.join(out, name, '1', 'model.onnx')
    graph.write(path)
    compare(source, path, name)


def main():
    source, out, *names = sys.argv[1:]
    for name in names or MADE:
        converted, outputs = MADE[name]
        places = [os.path.join(source, f'{converted}.onnx'), os.path.join(source, converted, '1', 'model.onnx')]
        optimise(next((path for path in places if os.path.isfile(path)), places[0]), name, outputs, out)


main()
