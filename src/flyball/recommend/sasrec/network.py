"""The network in PyTorch: what is trained. ``forward`` has the same in NumPy."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from flyball.recommend.sasrec.config import SasRecConfig


class Block(nn.Module):  # type: ignore[misc]  # torch is not typed for us
    """Causal self-attention and a feed-forward layer, each behind a norm (pre-norm)."""

    def __init__(self, config: SasRecConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.rate = config.dropout
        self.before = nn.LayerNorm(config.dim)
        self.together = nn.Linear(config.dim, 3 * config.dim)
        self.out = nn.Linear(config.dim, config.dim)
        self.between = nn.LayerNorm(config.dim)
        self.up = nn.Linear(config.dim, 2 * config.dim)
        self.down = nn.Linear(2 * config.dim, config.dim)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, hidden: Any) -> Any:
        """Shape (n, length, dim) to the same; a place sees itself and what is before it."""
        n, width, dim = hidden.shape
        parts = self.together(self.before(hidden)).view(n, width, 3, self.heads, dim // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        rate = self.rate if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(
            queries, keys, values, dropout_p=rate, is_causal=True
        )
        hidden = hidden + self.drop(self.out(mixed.transpose(1, 2).reshape(n, width, dim)))
        return hidden + self.drop(self.down(functional.relu(self.up(self.between(hidden)))))


class Network(nn.Module):  # type: ignore[misc]  # torch is not typed for us
    """Logits of what comes next.

    ``h_t . e_i + sum over trends k of w_k trend_ki``, with h_t the last block's output at place t
    and e_i the item's embedding, the same as at the input (tied).
    """

    def __init__(self, config: SasRecConfig, n_items: int) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items, config.dim)
        self.positions = nn.Embedding(config.max_len, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.drop = nn.Dropout(config.dropout)
        self.trend = nn.Parameter(torch.full((len(config.half_lives),), 1 / len(config.half_lives)))
        for part in (self.items, self.positions):
            nn.init.normal_(part.weight, std=0.02)

    def forward(self, items: Any, inside: Any, day: Any, trends: Any) -> Any:
        """Logits, shape (number of true places of ``inside``, n_items).

        Args:
            items: int64, shape (n, length), right-padded.
            inside: bool, the same shape: at which places to foretell.
            day: int64, shape (number of true places,): which of ``trends`` holds there.
            trends: float32, shape (k, n_trends, n_items).
        """
        hidden = self.items(items) * math.sqrt(self.items.embedding_dim)
        hidden = self.drop(hidden + self.positions.weight[: items.shape[1]])
        for block in self.blocks:
            hidden = block(hidden)
        personal = self.norm(hidden[inside]) @ self.items.weight.T
        return personal + torch.einsum("t,ktn->kn", self.trend, trends)[day]
