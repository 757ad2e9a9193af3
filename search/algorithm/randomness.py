"""Seeds for random generators, derived from the run's seed and never from the clock."""

from __future__ import annotations

import hashlib


def random_seed(*stream: object) -> int:
    """The seed of a random stream; a function of the words that name the stream, and no more.

    An individual's weights have `random_seed("weights", run_seed, number)`. Streams of other
    names are independent of it.
    """
    name = "/".join(map(str, stream))
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1  # every library accepts 31 bits
