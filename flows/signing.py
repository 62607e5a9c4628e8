"""Which process a run lives in, so that runs whose process was killed can be told from those that go on."""

from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Crashed

from nowcast.processes import Process, is_gone, this_process

HOST, PROCESS, BORN = "nowcast.host", "nowcast.process", "nowcast.born"
"""Labels of a run: the machine, the process's id there, and when it began, for ids are used again."""

TAG = "nowcast"
"""Of all our deployments and their runs."""

LIVING = (StateType.RUNNING, StateType.CANCELLING)


async def signed(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A hook: the run is labelled with its process."""
    me = this_process()
    async with get_client() as client:
        await client.update_flow_run_labels(flow_run.id, {HOST: me.host, PROCESS: me.pid, BORN: me.born})


async def end_lost_runs() -> list[str]:
    """Mark runs of this machine as crashed whose process is gone, as after SIGKILL or a power cut; their names.

    Nobody else would for a minute or two, and while they count as running no other run of their deployment may start.
    """
    async with get_client() as client:
        lost = [run for run in await _living(client) if is_lost(run.labels)]
        for run in lost:
            await client.set_flow_run_state(run.id, Crashed(message="Its process is gone."), force=True)
    return [run.name for run in lost]


async def _living(client: PrefectClient) -> list[FlowRun]:
    chosen = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(LIVING))),
    )
    return await client.read_flow_runs(flow_run_filter=chosen)


def is_lost(labels: dict[str, Any]) -> bool:
    """Whether a run with these labels was on this machine, in a process that does not run any more."""
    if not {HOST, PROCESS, BORN} <= labels.keys():
        return False
    return is_gone(Process(str(labels[HOST]), int(labels[PROCESS]), float(labels[BORN])))
