"""Hold the container, compose, Ray and Kubernetes files against the schemas of those who read them; `make validate`.

Prints a line per file; the exit code is 1 when one is wrong. What is not installed here is said to be NOT CHECKED.
"""

import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import compose_spec
import jsonschema
import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parent.parent
KUBERNETES = "1.32"
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
STANDS_IN = {"NOWCAST_API_TOKEN": "x" * 16, "GRAFANA_PASSWORD": "x"}
"""For what docker/.env must give."""

NOT_CHECKED = "NOT CHECKED: "


def main() -> int:
    """Every file and what is wrong with it; 1 when anything is."""
    wrong = 0
    for name, fault in findings():
        print(f"{name}: {fault or 'valid'}")
        wrong += bool(fault) and not fault.startswith(NOT_CHECKED)
    return int(wrong > 0)


def findings() -> Iterator[tuple[str, str]]:
    """Files, and what is wrong with each; empty for nothing."""
    yield "docker/Dockerfile", dockerfile(ROOT / "docker/Dockerfile")
    for path in sorted((ROOT / "docker").glob("compose*.yaml")):
        yield _name(path), compose(path)
    yield "docker compose config", compose_config()
    yield "infra/prometheus/prometheus.yml", prometheus("config", "--syntax-only", "prometheus.yml")
    yield "infra/prometheus/rules.yml", prometheus("rules", "rules.yml")
    yield "infra/ray/cluster.yaml", _fault(lambda: ray_cluster(_read(ROOT / "infra/ray/cluster.yaml")[0]))
    for path in sorted([*(ROOT / "infra/kuberay").glob("*.yaml"), *(ROOT / "infra/kubernetes").glob("*.yaml")]):
        yield _name(path), _fault(lambda path=path: manifests(path))  # type: ignore[misc]


def dockerfile(path: Path) -> str:
    """What hadolint says."""
    found = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        return f"{NOT_CHECKED}no hadolint"
    return subprocess.run([found, "--no-color", str(path)], capture_output=True, text=True, check=False).stdout.strip()


def prometheus(*what: str) -> str:
    """What `promtool check` says."""
    if shutil.which("promtool") is None:
        return f"{NOT_CHECKED}no promtool"
    asked = ["promtool", "check", *what]
    done = subprocess.run(asked, cwd=ROOT / "infra/prometheus", capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def compose(path: Path) -> str:
    """What the compose specification says of a file whose variables are filled in."""
    return _fault(lambda: compose_spec.PyCompose.from_json(json.dumps(filled(_read(path)[0]))))


def filled(value: Any) -> Any:
    """The same with `${NAME:-default}` and `${NAME:?message}` replaced, at every depth."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda m: m[3] if m[2] == "-" else STANDS_IN.get(m[1], ""), value)
    if isinstance(value, dict):
        return {key: filled(one) for key, one in value.items()}
    return [filled(one) for one in value] if isinstance(value, list) else value


def compose_config() -> str:
    """What Docker Compose itself says of both profiles, with and without a GPU."""
    command = next((words for words in (["docker", "compose"], ["docker-compose"]) if _runs([*words, "version"])), None)
    if command is None:
        return f"{NOT_CHECKED}no docker compose"
    files = ["-f", "docker/compose.yaml", "-f", "docker/compose.gpu.yaml"]
    for chosen in (files[:2], files):
        words = [*command, *chosen, "--profile", "single", "--profile", "cluster", "config", "--quiet"]
        made = subprocess.run(words, cwd=ROOT, env=os.environ | STANDS_IN, capture_output=True, text=True, check=False)
        if made.returncode:
            return made.stderr.strip()
    return ""


def _runs(words: list[str]) -> bool:
    return shutil.which(words[0]) is not None and not subprocess.run(words, capture_output=True, check=False).returncode


def ray_cluster(config: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError for what Ray's cluster launcher does not know."""
    schema = importlib.resources.files("ray.autoscaler").joinpath("ray-schema.json").read_text()
    jsonschema.validate(config, json.loads(schema))


def manifests(path: Path) -> None:
    """Raises a ValidationError for the first document that Kubernetes or KubeRay would refuse."""
    for document in _read(path):
        if document["apiVersion"].startswith("kustomize.config.k8s.io/"):
            missing = [name for name in document["resources"] if not (path.parent / name).exists()]
            if missing:
                raise ValueError(f"no such file: {', '.join(missing)}")
        elif document["apiVersion"].startswith("ray.io/"):
            jsonschema.validate(document, _read(ROOT / "infra/schemas/kuberay.yaml")[0])
            for template in _templates(document):
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": template["spec"]}
                kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        else:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


def _templates(value: Any) -> Iterator[dict[str, Any]]:
    """The pod templates within a document."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key in ("template", "submitterPodTemplate"):
                yield one
            else:
                yield from _templates(one)
    elif isinstance(value, list):
        for one in value:
            yield from _templates(one)


def _fault(check: Callable[[], object]) -> str:
    try:
        check()
    except (ValueError, jsonschema.ValidationError, kubernetes_validate.ValidationError, yaml.YAMLError) as error:
        where = ".".join(map(str, getattr(error, "absolute_path", ())))
        return f"{where}: {getattr(error, 'message', error)}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return str(error.message)
    return ""


def _read(path: Path) -> list[Any]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
