"""Outlooks as xarray and JSON: two members, three leads, 12 mm/h being 1 mm in 5 min."""

import json

import pytest
from polygons import outlook

from nowcast.catchments.views import to_dataset, to_json

NAN = float("nan")
TWO = [[12, 12, 12], [0, 0, 36]]


class TestDataset:
    def test_holds_every_catchment_member_and_lead(self) -> None:
        found = to_dataset([outlook(TWO), outlook(TWO, catchment_id="lake")])
        assert dict(found.sizes) == {"catchment": 2, "member": 2, "lead_time": 3}
        assert found.accumulation.sel(catchment="lake").values.tolist() == [[1, 2, 3], [0, 0, 3]]
        assert str(found.valid_time.values[0])[:16] == "2026-06-01T12:05"

    def test_every_variable_has_units_or_is_a_time_or_a_name(self) -> None:
        found = to_dataset([outlook(TWO)])
        for name in found.variables:
            assert found[name].attrs.get("units") or name in ("init_time", "valid_time", "catchment"), name
        assert found.rain_rate.attrs["standard_name"] == "rainfall_rate"
        assert found.member.attrs["standard_name"] == "realization"

    def test_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no outlook"):
            to_dataset([])


class TestJson:
    def test_accumulation_to_the_end_of_each_window(self) -> None:
        """All leads end after 15 min: 3 mm in both members."""
        (whole,) = to_json(outlook(TWO))["accumulation_mm"]
        assert whole == {
            "to_min": 15,
            "mean": 3,
            "p10": 3,
            "p50": 3,
            "p90": 3,
            "probability": {"1": 1, "5": 0, "10": 0, "20": 0, "50": 0},
        }

    def test_windows_end_at_leads(self) -> None:
        """Fifteen leads: 15, 30 and 60 min, and the whole of 75."""
        rows = to_json(outlook([[12] * 15]))["accumulation_mm"]
        assert [(row["to_min"], row["mean"]) for row in rows] == [(15, 3), (30, 6), (60, 12), (75, 15)]

    def test_when_a_rate_is_reached(self) -> None:
        found = to_json(outlook(TWO))["rate_reached_mm_h"]["10"]
        assert found == {"probability": 1, "least": 1, "most": 1, "p10_min": 5, "median_min": 5, "p90_min": 15}

    def test_says_what_it_rests_on(self) -> None:
        found = to_json(outlook([[1, 1, 1]]))
        assert (found["members"], found["basis"]) == (1, "one member: chances are 0 or 1")
        assert (found["model"], found["rung"], found["input_age_s"]) == ("fake-1", "champion", 90)

    def test_what_is_not_known_is_null(self) -> None:
        text = json.dumps(to_json(outlook([[12, NAN, 12]], share=0.5)))
        assert "NaN" not in text
        found = json.loads(text)
        assert found["rain_rate_mm_h"] == [[12, None, 12]]
        assert found["accumulation_mm"][0]["mean"] is None
        assert found["coverage_share"] == [[0.5, 0.5, 0.5]]
