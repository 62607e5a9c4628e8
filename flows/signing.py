"""Which process a run lives in, so that runs whose process was killed can be told from those that go on."""

import socket
from typing import Any

import psutil
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Crashed

HOST, PROCESS, BORN = "nowcast.host", "nowcast.process", "nowcast.born"
"""Labels of a run: the machine, the process's id there, and when it began, for ids are used again."""

TAG = "nowcast"
"""Of all our deployments and their runs."""

LIVING = (StateType.RUNNING, StateType.CANCELLING)


async def signed(flow: Flow[Any, Any], run: FlowRun, state: State[Any]) -> None:
    """A hook: the run is labelled with its process."""
    me = psutil.Process()
    async with get_client() as client:
        await client.update_flow_run_labels(
            run.id, {HOST: socket.gethostname(), PROCESS: me.pid, BORN: round(me.create_time(), 2)}
        )


async def end_lost_runs() -> list[str]:
    """Mark runs of this machine as crashed whose process is gone, as after SIGKILL or a power cut; their names.

    Nobody else would for a minute or two, and while they count as running no other run of their deployment may start.
    """
    async with get_client() as client:
        lost = [run for run in await _living(client) if is_lost(run.labels, socket.gethostname())]
        for run in lost:
            await client.set_flow_run_state(run.id, Crashed(message="Its process is gone."), force=True)
    return [run.name for run in lost]


async def _living(client: PrefectClient) -> list[FlowRun]:
    chosen = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(LIVING))),
    )
    return await client.read_flow_runs(flow_run_filter=chosen)


def is_lost(labels: dict[str, Any], host: str) -> bool:
    """Whether a run with these labels was on this host, in a process that does not run any more."""
    if labels.get(HOST) != host:
        return False
    try:
        found = psutil.Process(int(labels[PROCESS]))
        return found.status() == psutil.STATUS_ZOMBIE or abs(found.create_time() - float(labels[BORN])) > 1.0
    except psutil.NoSuchProcess:
        return True
