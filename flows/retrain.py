"""The daily flow that learns from the archive: a challenger is trained, judged, and promoted or refused."""

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from flows.showing import showing_progress
from flows.signing import signed
from nowcast.desk import device
from nowcast.retrain import Retrained, Retraining
from nowcast.retrain import retrain as run_retraining
from nowcast.settings import Settings
from nowcast.training.loop import TrainConfig


@flow(name="retrain", on_running=[signed])
async def retrain(region: str, minutes: float = 45.0, steps: int | None = None, go_on: bool = False) -> dict[str, Any]:
    """Outcome, model id and reasons; the table of figures and how far training has come are artifacts of the run."""
    settings = Settings()
    how = Retraining(TrainConfig(minutes=minutes, steps=steps, device=device(settings.device)), go_on=go_on)
    trained = deque([0.0], maxlen=1)
    async with showing_progress(f"training-{region}", lambda: trained[-1], f"a challenger for {region}"):
        made = await asyncio.to_thread(
            run_retraining,
            settings.region(region),
            settings,
            how,
            lambda progress: trained.append(progress.used),
            datetime.now(UTC),
        )
    await acreate_markdown_artifact(table(made), key=f"retrain-{region}")
    return {"outcome": made.outcome.value, "model": made.model_id, "reasons": list(made.verdict.reasons)}


def table(made: Retrained) -> str:
    """The verdict as Markdown: outcome, reasons, and CSI and frequency bias by method and threshold."""
    figures = made.verdict.figures
    lines = [f"**{made.outcome.value}** {made.model_id or ''}", "", *(f"* {reason}" for reason in made.verdict.reasons)]
    if not figures:
        return "\n".join(lines)
    lines += ["", "| method | threshold mm/h | CSI | frequency bias |", "|---|---|---|---|"]
    for name, scores in figures["csi"].items():
        biases = figures["frequency_bias"][name]
        lines += [f"| {name} | {threshold} | {value} | {biases[threshold]} |" for threshold, value in scores.items()]
    return "\n".join(lines)
