import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.metrics.deflate import concatenate, member, pack

_pieces = st.lists(st.binary(max_size=2000), max_size=12)


@given(_pieces, st.binary(max_size=200))
def test_pieces_make_one_gzip_member(pieces: list[bytes], tail: bytes) -> None:
    """A reader that stops after the first member, as zlib does, reads all of it."""
    body = b"".join(member(concatenate(map(pack, pieces)), tail))
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)

    assert b"".join([*pieces, tail]) == reader.decompress(body)
    assert reader.eof
    assert b"" == reader.unused_data
    assert b"".join([*pieces, tail]) == gzip.decompress(body)


@given(_pieces, _pieces)
def test_what_was_joined_can_be_joined(left: list[bytes], right: list[bytes]) -> None:
    """Joining in two steps is joining in one, the checksum included."""
    together = concatenate(map(pack, [*left, *right]))
    in_steps = concatenate([concatenate(map(pack, left)), concatenate(map(pack, right))])

    assert together == in_steps
    assert zlib.crc32(b"".join([*left, *right])) == together.crc


def test_nothing_and_a_tail() -> None:
    """Before the first poll there is a page too."""
    assert b"# EOF\n" == gzip.decompress(b"".join(member(concatenate(()), b"# EOF\n")))
