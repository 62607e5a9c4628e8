"""Alert rules as a region's YAML holds them."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

EVERY = "*"
"""Stands for every catchment in a rule."""

Quantity = Literal["rate", "accumulation"]


class AlertRule(BaseModel):
    """An alert begins when a catchment's area mean reaches `threshold` within the leads with the chance `probability`.

    It ends when that chance falls below `clear_probability`, half of `probability` unless given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    catchment: str = Field(EVERY, description="id of a catchment, or * for each one")
    quantity: Quantity = Field("accumulation", description="rate [mm/h], or accumulation [mm]")
    window_min: float | None = Field(None, gt=0, description="of an accumulation; since init_time when absent")
    threshold: float = Field(gt=0, description="mm/h of a rate, mm of an accumulation")
    probability: float = Field(gt=0, le=1, description="chance, 0 .. 1, from which an alert begins")
    clear_probability: float | None = Field(None, gt=0, description="chance below which it ends")
    quiet_min: float = Field(0, ge=0, description="after an alert began, minutes before the next may begin")
    webhook: SecretStr | None = Field(None, description="http or https URL that messages are sent to")
    token_variable: str | None = Field(
        None, pattern=r"^[A-Z][A-Z0-9_]*$", description="environment variable of the webhook's bearer token"
    )
    send_cleared: bool = Field(False, description="tell when an alert ends, too")

    @model_validator(mode="after")
    def _fits_together(self) -> "AlertRule":
        if self.window_min is not None and self.quantity == "rate":
            raise ValueError(f"rule {self.name}: window_min is for accumulations")
        if self.clear_below > self.probability:
            raise ValueError(f"rule {self.name}: clear_probability must not be above probability {self.probability}")
        if self.token_variable and not self.webhook:
            raise ValueError(f"rule {self.name}: token_variable is for a webhook")
        if self.webhook and not _is_web_address(self.webhook.get_secret_value()):
            raise ValueError(f"rule {self.name}: webhook is no http or https URL with a host")
        return self

    @property
    def clear_below(self) -> float:
        """The chance below which an alert ends."""
        return self.probability / 2 if self.clear_probability is None else self.clear_probability

    @property
    def units(self) -> str:
        """Of the threshold."""
        return "mm h-1" if self.quantity == "rate" else "mm"


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def redacted(url: str) -> str:
    """Scheme and host of a URL, for logs: user, path and query may hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}/..."
