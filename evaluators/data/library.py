"""Sources of text by name: embedded ones, those of packages, and the mix of all of them."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from functools import partial

from primeval.evaluators.data.documents import Document, Source, embedded
from primeval.evaluators.data.packages import PACKAGES, package_source, require_packages
from primeval.evaluators.data_settings import INGREDIENTS, LIBRARY

SEED = 0  # of the order of the documents

_LOG = logging.getLogger(__name__)


def named_source(name: str) -> Source:
    """The source of text that a configuration calls `name`, without its tokens.

    Raises:
        DataError: It needs a package that is not installed, or that has another form.
    """
    if name == LIBRARY:
        return _library()
    return package_source(name) if name in PACKAGES else embedded(name)


def _library() -> Source:
    """All texts in one: the documents of all of them in random order, the same each time.

    A document has the split that it has in its own source, so all sources are in all three.
    """
    require_packages(LIBRARY)
    sources = [named_source(name) for name in INGREDIENTS]
    _LOG.info("the library consists of %s", ", ".join(INGREDIENTS))
    identity = {LIBRARY: [dict(one.identity) for one in sources], "seed": SEED}
    # CHOICE: 21 MB of text are held in memory to be shuffled
    return Source(LIBRARY, identity, partial(_shuffled, sources), sum(s.size for s in sources))


def _shuffled(sources: Sequence[Source]) -> Iterator[Document]:
    documents = [one for source in sources for one in source.documents()]
    random.Random(SEED).shuffle(documents)
    for number, one in enumerate(documents, 1):
        yield one._replace(done=number / len(documents))
