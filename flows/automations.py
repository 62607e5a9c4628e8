"""What Prefect's server does by itself: says that a feed is late or a run failed, and ends runs that were lost."""

from datetime import timedelta
from typing import Any

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import CallWebhook, ChangeFlowRunState, DoNothing

from flows.events import COMMITTED, resource_id
from flows.signing import TAG
from nowcast.settings import USUAL_CADENCE, Settings

LATE_AFTER = 3
"""Cadences without a scan."""

LEAST = timedelta(seconds=10)
"""Prefect looks no sooner for what does not come."""

LOST_AFTER = timedelta(seconds=90)
"""Without a heartbeat, which runs give every half minute."""

BLOCK = "nowcast-operators"
"""The webhook's name at the server."""

RUNS = {"prefect.resource.id": "prefect.flow-run.*"}
OURS = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
ENDS = ("Completed", "Failed", "Crashed", "Cancelled", "Cancelling")

MESSAGE = '{"automation": "{{ automation.name }}", "run": "{{ flow_run.name }}", "state": "{{ flow_run.state.name }}"}'
LATE_MESSAGE = '{"automation": "{{ automation.name }}"}'


async def automations(settings: Settings, speed: float = 1.0) -> list[AutomationCore]:
    """All of them. The operators' webhook is called where there is one; without, the page's event feed shows them."""
    webhook = await _webhook(settings)
    late = [_late(settings, name, speed, webhook) for name in settings.region_names()]
    return [*late, _failed(webhook), _lost()]


async def put_automation(client: PrefectClient, wanted: AutomationCore) -> str:
    """Make an automation, or bring those of its name in line and leave one; its name."""
    held = await client.read_automations_by_name(wanted.name)
    if not held:
        await client.create_automation(wanted)
    for one in held[:1]:
        await client.update_automation(one.id, wanted)
    for one in held[1:]:
        await client.delete_automation(one.id)
    return wanted.name


def _late(settings: Settings, region: str, speed: float, webhook: Any) -> AutomationCore:
    within = max(LATE_AFTER * (settings.region(region).cadence or USUAL_CADENCE) / speed, LEAST)
    return AutomationCore(
        name=f"nowcast: no scan from {region}",
        description=f"No scan of {region} was committed for {within.total_seconds():g} s.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            expect={COMMITTED},
            match={"prefect.resource.id": resource_id(region)},
            threshold=1,
            within=within,
        ),
        actions=[webhook(LATE_MESSAGE)],
    )


def _failed(webhook: Any) -> AutomationCore:
    return AutomationCore(
        name="nowcast: a run failed",
        description="A run of any region failed, or its process was killed.",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            match=RUNS,
            match_related=OURS,
            threshold=1,
        ),
        actions=[webhook(MESSAGE)],
    )


def _lost() -> AutomationCore:
    """So that a machine that never comes back holds no place: its runs are ended for it."""
    return AutomationCore(
        name="nowcast: a run was lost",
        description="A run gave no sign of life; it counts as crashed.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{end}" for end in ENDS)},
            match=RUNS,
            match_related=OURS,
            for_each={"prefect.resource.id"},
            threshold=1,
            within=LOST_AFTER,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="It gave no sign of life.", force=True)],
    )


async def _webhook(settings: Settings) -> Any:
    """Makes the action that tells operators something."""
    if settings.operators_webhook is None:
        return lambda words: DoNothing()
    block = Webhook(method="POST", url=settings.operators_webhook)
    saved = await block.save(BLOCK, overwrite=True)
    return lambda words: CallWebhook(block_document_id=saved, payload=words)
