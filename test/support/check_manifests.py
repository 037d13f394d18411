"""Checks Kubernetes manifests and prints them, parsed, with what is wrong with them.

Input: {"files": [path, ...]}. Output: [{"file", "document", "faults": [text, ...]}, ...], a document of YAML each.
Core resources: kubernetes-validate, the strict schemas (no unknown fields) of Kubernetes itself. KServe's: the classes of its
own SDK, which are made from its OpenAPI document; what they have of core resources (containers, volumes) is checked in a Pod.
"""

import importlib
import importlib.util
import json
import re
import sys
import types

import kubernetes_validate
import yaml

# The oldest Kubernetes that the manifests are for, and the newest that there is a schema of.
VERSIONS = ("1.31", kubernetes_validate.latest_version())
# Custom resources without a schema here, which the test checks by itself, and kustomize's own file.
OTHERS = {"monitoring.coreos.com/v1", "kustomize.config.k8s.io/v1beta1"}
SCALARS = {"str": str, "bool": bool, "int": int, "float": (int, float), "dict(str, str)": dict, "object": object}
# Parts of a Pod's spec that KServe's resources have, too.
POD_FIELDS = {
    "affinity", "nodeSelector", "tolerations", "volumes", "terminationGracePeriodSeconds", "serviceAccountName",
}
# What an InferenceService's model has beside the fields of a container.
MODEL_FIELDS = {"modelFormat", "protocolVersion", "runtime", "runtimeVersion", "storage", "storageUri"}


def kserve_models():
    """The package's models without its server, whose dependencies are not installed."""
    package = types.ModuleType("kserve")
    package.__path__ = importlib.util.find_spec("kserve").submodule_search_locations
    sys.modules["kserve"] = package
    models = types.ModuleType("kserve.models")
    models.__path__ = [f"{package.__path__[0]}/models"]
    sys.modules["kserve.models"] = models


def kserve_class(name):
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return getattr(importlib.import_module(f"kserve.models.{snake}"), name)


def core_faults(document):
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{version}: {'.'.join(map(str, error.path))}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield error.message


def pod_faults(where, containers, **spec):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "check"}, "spec": {"containers": containers, **spec}}
    yield from (f"{where}: {fault}" for fault in core_faults(pod))


def kserve_faults(where, value, kind):
    """Faults of a value against a type of the SDK's `openapi_types`."""
    if kind in SCALARS:
        if not isinstance(value, SCALARS[kind]) or (kind == "int" and isinstance(value, bool)):
            yield f"{where}: {value!r} given, {kind} expected"
    elif kind.startswith("list["):
        if not isinstance(value, list):
            yield f"{where}: a list expected"
            return
        for at, item in enumerate(value):
            yield from kserve_faults(f"{where}[{at}]", item, kind[5:-1])
    elif not re.match(r"V1(alpha|beta)\d|Knative", kind):
        return  # of Kubernetes itself: checked in a Pod
    else:
        yield from object_faults(where, value, kserve_class(kind))


def object_faults(where, value, cls):
    names = {json_name: name for name, json_name in cls.attribute_map.items()}
    unknown = [key for key in value if key not in names]
    yield from (f"{where}: {cls.__name__} has no field {key!r}" for key in unknown)
    known = {names[key]: value[key] for key in value if key in names}
    try:
        cls(**known)  # it raises where a required field is missing
    except ValueError as error:
        yield f"{where}: {error}"
    for name, part in known.items():
        yield from kserve_faults(f"{where}.{cls.attribute_map[name]}", part, cls.openapi_types[name])


def kserve_document_faults(document):
    version = document["apiVersion"].rpartition("/")[2]
    yield from object_faults(document["kind"], document, kserve_class(version.capitalize() + document["kind"]))
    spec = document["spec"]
    if document["kind"].endswith("ServingRuntime"):
        rest = {field: part for field, part in spec.items() if field in POD_FIELDS}
        yield from pod_faults("spec", spec.get("containers", []), **rest)
    else:
        predictor = spec["predictor"]
        container = {field: part for field, part in predictor["model"].items() if field not in MODEL_FIELDS}
        rest = {field: part for field, part in predictor.items() if field in POD_FIELDS}
        yield from pod_faults("spec.predictor", [{"name": "kserve-container", **container}], **rest)


def faults(document):
    group = document["apiVersion"]
    if group in OTHERS:
        return []
    return list(kserve_document_faults(document) if group.startswith("serving.kserve.io/") else core_faults(document))


def main():
    kserve_models()
    checked = []
    for path in json.load(sys.stdin)["files"]:
        with open(path, encoding="utf8") as file:
            for document in yaml.safe_load_all(file):
                checked.append({"file": path, "document": document, "faults": faults(document)})
    print(json.dumps(checked))


main()
