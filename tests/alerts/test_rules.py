"""Alert rules: what fits together, and what is never shown."""

from typing import Any

import pytest
from pydantic import ValidationError

from nowcast.alerts.rules import AlertRule, redacted

RULE: dict[str, Any] = {"name": "flood", "threshold": 5, "probability": 0.6}


def test_what_is_left_out() -> None:
    rule = AlertRule(**RULE)
    assert (rule.catchment, rule.quantity, rule.window_min, rule.units) == ("*", "accumulation", None, "mm")
    assert (rule.clear_below, rule.quiet_min, rule.webhook, rule.send_cleared) == (0.3, 0, None, False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "a/b"}, "name"),
        ({"treshold": 5}, "treshold"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"probability": 0}, "probability"),
        ({"probability": 60}, "probability"),
        ({"quantity": "depth"}, "quantity"),
        ({"quantity": "rate", "window_min": 30}, "window_min is for accumulations"),
        ({"clear_probability": 0.7}, "clear_probability must not be above probability 0.6"),
        ({"token_variable": "TOKEN"}, "token_variable is for a webhook"),
        ({"token_variable": "$(rm)", "webhook": "http://h/"}, "token_variable"),
        ({"webhook": "ftp://host/"}, "webhook is no http or https URL"),
        ({"webhook": "file:///etc/passwd"}, "webhook is no http or https URL"),
        ({"webhook": "https://"}, "webhook is no http or https URL"),
        ({"webhook": "http://[::1"}, "webhook is no http or https URL"),
        ({"webhook": "http://host:99999/"}, "webhook is no http or https URL"),
        ({"webhook": "http://host/\r\nX: y"}, "webhook is no http or https URL"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        AlertRule(**(RULE | change))


def test_a_webhook_is_not_printed() -> None:
    rule = AlertRule(**RULE, webhook="https://host/secret")
    assert "secret" not in f"{rule} {rule!r} {rule.model_dump_json()}"


def test_of_a_url_logs_show_scheme_and_host() -> None:
    assert redacted("https://user:word@host:8443/path/secret?key=secret") == "https://host:8443/..."
