"""What holds for every test."""

import torch

torch.set_num_threads(1)
"""Fields as small as the tests' are slower with more, above all when other work runs beside."""
