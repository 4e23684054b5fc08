"""Cutting the flat order into chunks: nothing lost, nothing split that belongs together."""

from __future__ import annotations

import pytest
import torch

from vilora_analysis.triplets.blocks import blocks_of, cut
from vilora_analysis.triplets.buffers import Buffers, held_as

ENTRIES = [
    *[("E", (3, 1))] * 7,
    *[("A", (3, 5))] * 6,
    ("A", (3, 9)),
    *[("B", (5, 3))] * 6,
    ("B", (9, 3)),
]


@pytest.mark.parametrize("limit", [1, 15, 16, 31, 100, 10**6])
def test_chunks_tile_the_flat_order(limit: int) -> None:
    blocks = blocks_of(ENTRIES)
    assert [block.shape[0] for block in blocks] == [7, 6, 1, 6, 1]
    chunks = cut(blocks, limit)
    flat = torch.arange(blocks[-1].stop, dtype=torch.float64)
    expected = [block.view(flat)[0].reshape(-1) for block in blocks]
    got = []
    end = 0
    for chunk in chunks:
        assert chunk.start == end
        end = chunk.stop
        got += [b.view(flat[chunk.start : chunk.stop])[0].reshape(-1) for b in chunk.blocks]
        # a parameter is never cut, so one larger than the limit stands alone
        assert chunk.stop - chunk.start <= limit or sum(b.shape[0] for b in chunk.blocks) == 1
    assert end == len(flat)
    assert torch.equal(torch.cat(got), torch.cat(expected))


def test_few_elements_are_one_chunk() -> None:
    assert len(cut(blocks_of(ENTRIES), 10**6)) == 1


def test_a_buffer_holds_copies_in_the_common_type() -> None:
    buffers = Buffers([(2, 3), (4, 1)])
    tensors = [torch.randn(2, 3), torch.randn(4, 1, dtype=torch.bfloat16)]
    flat = buffers.copy("x", tensors)
    assert flat.dtype == torch.float32 == held_as([tensors[1]])
    assert torch.equal(flat, torch.cat([t.float().reshape(-1) for t in tensors]))
    assert buffers.copy("x", [t + 1 for t in tensors]) is flat
    doubles = buffers.copy("x", [t.double() for t in tensors])
    assert doubles.dtype == torch.float64
    assert torch.equal(doubles, torch.cat([t.double().reshape(-1) for t in tensors]))
