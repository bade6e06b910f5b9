"""Zstandard, from the standard library where it has it."""

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError, compress, decompress, get_frame_size
else:
    from backports.zstd import ZstdDecompressor, ZstdError, compress, decompress, get_frame_size

__all__ = ["ZstdDecompressor", "ZstdError", "compress", "decompress", "get_frame_size"]
