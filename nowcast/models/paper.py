"""The six networks of table 1 of Shi et al. 2015 (arXiv:1506.04214) by name: 64 x 64 frames in 4 x 4 patches."""

import torch

from nowcast.models.encoder_forecaster import PAPER_CONFIGS, EncoderForecaster, NetworkConfig, parameter_count
from nowcast.models.fclstm import FC_LSTM_2048_2048, FCLSTM, FCLSTMConfig

PaperModel = EncoderForecaster | FCLSTM

PAPER_MODELS: dict[str, NetworkConfig | FCLSTMConfig] = {**PAPER_CONFIGS, "fc-lstm-2048-2048": FC_LSTM_2048_2048}


def paper_model(name: str) -> PaperModel:
    """The network, with new random weights; ValueError when table 1 has none of that name."""
    if name not in PAPER_MODELS:
        raise ValueError(f"model must be one of {', '.join(PAPER_MODELS)}, not {name}")
    config = PAPER_MODELS[name]
    return FCLSTM(config) if isinstance(config, FCLSTMConfig) else EncoderForecaster(config)


def paper_parameter_counts() -> dict[str, int]:
    """Trainable values per network, counted from modules that are built but not allocated."""
    with torch.device("meta"):
        return {name: parameter_count(paper_model(name)) for name in PAPER_MODELS}
