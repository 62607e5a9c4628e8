"""The FC-LSTM encoder-forecaster that Shi et al. 2015 (arXiv:1506.04214, table 1) compare the ConvLSTM with.

A fully connected LSTM with peepholes (Graves 2013, arXiv:1308.0850, equations 7-11) is a ConvLSTM on a grid of one
cell, with 1 x 1 kernels and every pixel of a frame a channel of its own (Shi et al. 2015, section 3.1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

from nowcast.models.encoder_forecaster import EncoderForecaster, LayerStates, NetworkConfig


@dataclass(frozen=True)
class FCLSTMConfig:
    """Shape (c, h, w) of a frame, in and out, and hidden units per layer, lowest first."""

    frame: tuple[int, int, int]
    hidden: tuple[int, ...]

    def __post_init__(self) -> None:
        if min(self.frame) < 1:
            raise ValueError(f"frame must be of positive sizes (c, h, w), not {self.frame}")

    @property
    def network(self) -> NetworkConfig:
        """The network on frames flattened to (b, c * h * w, 1, 1)."""
        pixels = prod(self.frame)
        return NetworkConfig(pixels, pixels, self.hidden, 1, 1, top_only=True)


FC_LSTM_2048_2048 = FCLSTMConfig((16, 16, 16), (2048, 2048))
"""Table 1 of the paper: 64 x 64 = 4096 pixels, patched as for the ConvLSTMs, which changes only their order."""


class FCLSTM(nn.Module):
    """Stepped like EncoderForecaster, on frames of one size.

    A layer of H units over I inputs has 4H (I + H) weights, 4H biases (one per gate) and 3H peepholes (one per unit for
    the input, forget and output gates); the forecaster's first layer has I = 0; the output layer sees the top H units
    alone. FC-LSTM-2048-2048 then has the paper's 142,667,776 parameters:

    | part | weights | biases | peepholes |
    |---|---|---|---|
    | encoder, layer 1 | 8192 (4096 + 2048) = 50,331,648 | 8,192 | 6,144 |
    | encoder, layer 2 | 8192 (2048 + 2048) = 33,554,432 | 8,192 | 6,144 |
    | forecaster, layer 1 | 8192 * 2048 = 16,777,216 | 8,192 | 6,144 |
    | forecaster, layer 2 | 8192 (2048 + 2048) = 33,554,432 | 8,192 | 6,144 |
    | output | 2048 * 4096 = 8,388,608 | 4,096 | |
    | sum | 142,606,336 | 36,864 | 24,576 |
    """

    def __init__(self, config: FCLSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.network = EncoderForecaster(config.network)

    def zero_states(self, frame: Tensor) -> LayerStates:
        """States (b, units, 1, 1) before the first frame, for frames like `frame` (b, c, h, w)."""
        return self.network.zero_states(self._flat(frame))

    def encode(self, frame: Tensor, states: LayerStates) -> LayerStates:
        """States after one more frame (b, c, h, w); ValueError when it is of another size."""
        return self.network.encode(self._flat(frame), states)

    def forecast(self, states: LayerStates) -> Iterator[Tensor]:
        """Outputs (b, c, h, w) at lead 1, 2, ... without end; the given states are left as they are."""
        for output in self.network.forecast(states):
            yield output.reshape(-1, *self.config.frame)

    def forward(self, frames: Tensor, leads: int) -> Tensor:
        """(b, t, c, h, w) in, (b, leads, c, h, w) out; ValueError when the frames are of another size."""
        outputs: Tensor = self.network(self._flat(frames), leads)
        return outputs.reshape(len(frames), leads, *self.config.frame)

    def _flat(self, frames: Tensor) -> Tensor:
        """(..., c, h, w) to (..., c * h * w, 1, 1)."""
        if frames.shape[-3:] != self.config.frame:
            raise ValueError(f"frames must be {self.config.frame} (c, h, w), not {tuple(frames.shape[-3:])}")
        return frames.flatten(-3)[..., None, None]
