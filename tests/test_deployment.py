"""What the system is deployed by agrees with itself and with the command line, and faults in it are found."""

import copy
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import typer.main
import yaml

from nowcast.cli import app
from nowcast.settings import Region, Settings

ROOT = Path(__file__).resolve().parent.parent


def validation() -> Any:
    spec = importlib.util.spec_from_file_location("validate", ROOT / "infra/validate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


validate = validation()


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


COMPOSE = validate.filled(documents(ROOT / "docker/compose.yaml")[0])
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MANIFESTS = [
    one
    for folder in ("kuberay", "kubernetes")
    for path in sorted((ROOT / "infra" / folder).glob("*.yaml"))
    for one in documents(path)
]


def inside(value: Any, key: str) -> Iterator[Any]:
    """Everything that stands under a key, at any depth."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name == key:
                yield one
            yield from inside(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from inside(one, key)


def commands() -> Iterator[list[str]]:
    """Whatever is started in our image: by compose, in pods, and as jobs."""
    ours = [one for one in SERVICES.values() if one["image"].startswith("nowcast:")]
    yield from (one["command"] for one in ours)
    for container in (one for many in inside(MANIFESTS, "containers") for one in many):
        if container["image"].startswith("nowcast:") and "command" in container:
            yield container["command"]
    yield from (one.split() for one in inside(MANIFESTS, "entrypoint"))


def test_all_files_are_valid() -> None:
    found = dict(validate.findings())
    assert {name: fault for name, fault in found.items() if fault and not fault.startswith(validate.NOT_CHECKED)} == {}
    assert len(found) >= 14


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_is_one_that_there_is(words: list[str]) -> None:
    words = words[1:] if words[0] == "beside-ray" else words
    words = ["nowcast", *words[3:]] if words[:3] == ["python", "-m", "nowcast"] else words
    if words[0] == "nowcast":
        parsed(words[1:])
    elif words[0] == "python":
        assert words[1] == "-m"
        assert importlib.util.find_spec(words[2]) is not None
    else:
        assert (Path(sys.executable).parent / words[0]).exists()


def parsed(words: list[str]) -> None:
    """The command line takes these words, and has no other to offer; nothing is run."""
    group: Any = typer.main.get_command(app)
    group.commands[words[0]].make_context(words[0], words[1:])


def test_what_is_mounted_is_declared_or_exists() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("../"):
                assert (ROOT / "docker" / source).exists(), source
            elif not source.startswith("."):
                assert source in COMPOSE["volumes"], source
    assert set(COMPOSE["volumes"]) == {
        m.split(":")[0] for s in SERVICES.values() for m in s.get("volumes", []) if m[0] != "."
    }


def test_services_wait_for_services_of_their_profiles_that_say_when_they_are_well() -> None:
    for service in SERVICES.values():
        for name, on in service.get("depends_on", {}).items():
            assert set(service["profiles"]) <= set(SERVICES[name]["profiles"])
            assert on["condition"] != "service_healthy" or "healthcheck" in SERVICES[name]


def test_only_the_api_may_be_opened_to_other_machines() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
    assert "NOWCAST_BIND" in (ROOT / "docker/compose.yaml").read_text().partition("  follow:")[0]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_may_do_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["image"].rpartition(":")[2] not in ("", "latest")


def test_no_pod_may_do_more_than_it_must() -> None:
    specs = [spec for spec in inside(MANIFESTS, "spec") if "containers" in spec]
    assert len(specs) == 8
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert {mount["name"] for mount in container["volumeMounts"]} <= {
                *(one["name"] for one in spec["volumes"]),
                "rows",
            }
            assert "requests" in container["resources"]


def test_every_variable_of_ours_is_a_setting() -> None:
    """Those in compose, in the ConfigMap and in a job's runtime environment; others are for compose alone."""
    known = {f"NOWCAST_{name.upper()}" for name in Settings.model_fields}
    job = documents(ROOT / "infra/ray/runtime_env.yaml")[0]["env_vars"]
    (config,) = [
        one["data"] for one in MANIFESTS if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "nowcast"
    ]
    for told in (job, config, *(service.get("environment", {}) for service in SERVICES.values())):
        assert {name for name in told if name.startswith("NOWCAST_")} <= known


def test_the_region_of_the_example_is_a_region(tmp_path: Path) -> None:
    (regions,) = [one["data"] for one in MANIFESTS if one.get("metadata", {}).get("name") == "nowcast-regions"]
    assert Region(name="here", **yaml.safe_load(regions["here.yaml"])).cpus == 1


def test_the_example_of_secrets_names_every_variable_and_holds_none() -> None:
    text = (ROOT / "docker/compose.yaml").read_text()
    asked = {found[1] for found in validate.VARIABLE.finditer(text)}
    given = dict(
        line.lstrip("# ").split("=", 1)
        for line in (ROOT / "docker/.env.example").read_text().splitlines()
        if "=" in line
    )
    assert asked - given.keys() <= {"NOWCAST_LOG_LEVEL", "NOWCAST_S3_REGION"}
    assert [name for name in given if name.endswith(("TOKEN", "PASSWORD", "SECRET_ACCESS_KEY")) and given[name]] == []


class TestFaults:
    """What is wrong in a file is found, with its place."""

    def fault(self, document: dict[str, Any], tmp_path: Path) -> str:
        path = tmp_path / "one.yaml"
        path.write_text(json.dumps(document))
        return str(
            validate.compose(path) if "services" in document else validate._fault(lambda: validate.manifests(path))
        )

    def test_of_compose(self, tmp_path: Path) -> None:
        wrong = copy.deepcopy(COMPOSE)
        wrong["services"]["api"]["heathcheck"] = {}
        assert "heathcheck" in self.fault(wrong, tmp_path)

    @pytest.mark.parametrize(
        ("kind", "key", "where"),
        [("Deployment", "replica", "replica"), ("RayCluster", "enableAutoscaling", "enableAutoscaling")],
    )
    def test_of_a_manifest(self, tmp_path: Path, kind: str, key: str, where: str) -> None:
        wrong = copy.deepcopy(next(one for one in MANIFESTS if one["kind"] == kind))
        wrong["spec"][key] = 1
        assert where in self.fault(wrong, tmp_path)

    def test_of_a_pod_of_ray(self, tmp_path: Path) -> None:
        wrong = copy.deepcopy(next(one for one in MANIFESTS if one["kind"] == "RayCluster"))
        wrong["spec"]["headGroupSpec"]["template"]["spec"]["container"] = []
        assert "container" in self.fault(wrong, tmp_path)

    def test_of_a_ray_cluster(self) -> None:
        config = documents(ROOT / "infra/ray/cluster.yaml")[0] | {"max_worker": 2}
        with pytest.raises(jsonschema.ValidationError, match="max_worker"):
            validate.ray_cluster(config)

    def test_of_a_version_that_kubernetes_does_not_have(self) -> None:
        with pytest.raises(kubernetes_validate.SchemaNotFoundError):
            kubernetes_validate.validate(
                {"apiVersion": "apps/v7", "kind": "Deployment"}, validate.KUBERNETES, strict=True
            )

    def test_of_a_dockerfile(self, tmp_path: Path) -> None:
        (tmp_path / "Dockerfile").write_text("FROM python:latest\n")
        assert "DL3007" in validate.dockerfile(tmp_path / "Dockerfile")
