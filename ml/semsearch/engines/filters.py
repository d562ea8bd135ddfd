"""Keyword filters of request bodies: ``term``, ``terms``, ``match_all`` and ``bool.filter`` of these."""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.ir.errors import UsageError
from ml.semsearch.documents import Body


def accepts(query: Body, fields: Mapping[str, str]) -> bool:
    """Whether a document with these fields passes.

    Raises:
        UsageError: another kind of query.

    Example:
        >>> accepts({"bool": {"filter": [{"term": {"source": "a"}}]}}, {"source": "a"})
        True
    """
    (kind, inner), *more = query.items()
    if more or kind not in ("term", "terms", "match_all", "bool"):
        raise UsageError.of("filter", sorted(query), "term, terms, match_all or bool.filter", "Rewrite the filter.")
    if kind == "bool":
        return all(accepts(part, fields) for part in inner.get("filter", []))
    if kind == "match_all":
        return True
    (field, wanted), *_ = inner.items()
    if kind == "terms":
        return fields.get(field) in wanted
    return fields.get(field) == (wanted["value"] if isinstance(wanted, Mapping) else wanted)
