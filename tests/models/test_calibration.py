


def too_sure(count: int = 400) -> Sample:
    """A chance of 0.98 (logit 4) of every rate, at half an hour, where 0.2 mm/h falls at every second pixel."""
    observed = torch.tensor([0.0, 0.2]).repeat(count // 2)
    same = torch.full((count,), USUAL_MINUTES)
    return Sample(torch.full((count, K), 4.0), same, torch.zeros(count, K), observed, torch.ones(count))


def test_what_comes_true_half_the_time_gets_nearer_to_an_even_chance() -> None:
    """The Brier score of 0.98 is (0.02^2 + 0.98^2) / 2 = 0.482, that of an even chance 0.25."""
    sample = too_sure()
    before, after = losses(Calibration(), sample), losses(fitted([sample]), sample)
    assert abs(float(before.brier[0]) - 0.482) < 1e-3
    assert 0.25 <= float(after.brier[0]) < 0.27
    assert (after.log_loss < before.log_loss).all()


def test_every_sample_counts_the_same_however_many_pixels_it_has() -> None:
    one, other = too_sure(), too_sure(40)._replace(observed=torch.full((40,), 0.2))
    many = Sample(*(torch.cat([tensor] * 5) for tensor in one))
    for few_fit, many_fit in zip(fitted([one, other]).offset, fitted([many, other]).offset, strict=True):
        torch.testing.assert_close(torch.tensor(few_fit), torch.tensor(many_fit), atol=1e-2, rtol=1e-2)


def test_a_sample_of_a_field_is_calibrated_as_the_field_is() -> None:
    torch.manual_seed(0)
    margins, observed = torch.randn(1, K, 5, 7).cummin(dim=1).values, torch.rand(K) / 10
    lines = [tuple((float(at), float(rise)) for at, rise in torch.rand(K, 2)) for _ in range(3)]
    calibration = Calibration(*lines)
    excess = scene_excess(observed, torch.sigmoid(margins).mean(dim=(0, 2, 3))).expand(35, K)
    sample = Sample(margins[0].flatten(1).T, torch.full((35,), 45.0), excess, torch.zeros(35), torch.ones(35))
    expected = calibration.calibrated(margins, 45.0, observed)[0].flatten(1).T
    torch.testing.assert_close(calibration.of(sample), expected)
