"""The seed's Transformer as one would write it in PyTorch.

`training.py` compares the decoded program with it. It has the same widths and parameters, one
product for the projections of query, key and value, and PyTorch's own attention and fused Adam.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

HEADS, FEED_FORWARD = 8, 4  # as in the seed, dna/seeds/transformer.dna


class Block(nn.Module):
    """A pre-norm decoder block: (batch, position, channel) to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.merge = nn.Linear(width, width, bias=False)
        self.feed_forward_norm = nn.LayerNorm(width, eps=1e-6)
        self.widen = nn.Linear(width, FEED_FORWARD * width)
        self.narrow = nn.Linear(FEED_FORWARD * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.merge(self.attend(self.project(self.attention_norm(x))))
        return x + self.narrow(functional.relu(self.widen(self.feed_forward_norm(x))))

    def attend(self, projected: torch.Tensor) -> torch.Tensor:
        batch, length, width = projected.shape[0], projected.shape[1], projected.shape[2] // 3
        heads = projected.view(batch, length, 3, HEADS, width // HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, length, width)


class Transformer(nn.Module):
    """Maps tokens (batch, position) to logits (batch, position, vocabulary), output tied."""

    def __init__(self, blocks: int, width: int, vocabulary: int, length: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        for embedding in (self.tokens, self.positions):
            nn.init.normal_(embedding.weight, std=0.5 * width**-0.5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        return functional.linear(self.norm(self.blocks(x)), self.tokens.weight)


class Training:
    """A model with its optimizer and data, trained one step after the other.

    Args:
        model: The model to train.
        windows: Tokens, (windows, length + 1).
        batch: Number of windows per step.
        compiled: Whether `torch.compile` makes the step.
    """

    def __init__(
        self, model: Transformer, windows: torch.Tensor, batch: int, compiled: bool
    ) -> None:
        self.model, self.windows, self.batch, self.steps = model, windows, batch, 0
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        self.loss = torch.compile(self._loss) if compiled else self._loss

    def advance(self, steps: int) -> float:
        """Make this many steps; returns the loss of the last one, in nats per token."""
        for _ in range(steps):
            first = self.steps * self.batch % (len(self.windows) - self.batch)
            loss = self.loss(self.windows[first : first + self.batch])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.steps += 1
        return loss.item()

    def _loss(self, windows: torch.Tensor) -> torch.Tensor:
        logits = self.model(windows[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
