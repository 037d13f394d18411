"""Prints a compose file as JSON. Input: {"file": path}. Fails for a key given twice, and for keys that the Compose Specification has not."""
import json
import sys

import yaml

TOP = {"configs", "include", "name", "networks", "secrets", "services", "version", "volumes"}
SERVICE = {
    "build", "cap_add", "cap_drop", "command", "configs", "container_name", "depends_on", "deploy", "devices", "entrypoint",
    "env_file", "environment", "expose", "extra_hosts", "healthcheck", "hostname", "image", "init", "labels", "logging",
    "mem_limit", "network_mode", "networks", "platform", "ports", "privileged", "profiles", "pull_policy", "read_only",
    "restart", "runtime", "secrets", "security_opt", "shm_size", "stop_grace_period", "stop_signal", "tmpfs", "ulimits",
    "user", "volumes", "working_dir",
}


class Once(yaml.SafeLoader):
    """YAML itself lets the last of equal keys win."""


def mapping(loader, node):
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ValueError(f"given twice: {sorted(twice)}")
    return {key: loader.construct_object(value, deep=True) for key, (_, value) in zip(keys, node.value)}


Once.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)

with open(json.load(sys.stdin)["file"]) as file:
    compose = yaml.load(file, Once)
assert set(compose) <= TOP, set(compose) - TOP
for name, service in compose["services"].items():
    assert set(service) <= SERVICE, (name, set(service) - SERVICE)
    assert "build" in service or "image" in service, name
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source.startswith((".", "/")) or source in compose["volumes"], volume
print(json.dumps(compose))
