"""Elasticsearch's own request schema, cut to what this project sends, and a checker for it.

Cut from ``schema.json`` of the npm package @elastic/request-converter 9.5.0 (Apache-2.0, Elasticsearch B.V.)::

    python elastic_schema.py package/dist/schema.json > elastic_schema.json

Types that no request here can reach are cut down to ``{"kind": "any"}``; names of all properties are kept, so that an
unknown key is found everywhere.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOTS = ("_global.search.Request", "indices.create.Request")
USED = {
    "_global.search.Request": {"knn", "query", "retriever", "size"},
    "indices.create.Request": {"mappings"},
    "_types.query_dsl.QueryContainer": {"match", "bool", "script_score", "match_all", "term", "terms"},
    "_types.RetrieverContainer": {"standard", "knn", "rrf", "linear"},
    "_types.mapping.TypeMapping": {"dynamic", "properties"},
}
VARIANTS = {
    "_types.mapping.Property": {f"_types.mapping.{name}Property" for name in ("Text", "Keyword", "DenseVector")},
    "_types.ScriptSource": {"_builtins.string"},
}
PRUNED = {
    "inner_hits",
    "collapse",
    "sort",
    "search_after",
    "query_vector_builder",
    "rescore_vector",
    "fielddata",
    "meta",
}
PRUNED |= {"fields", "index_prefixes", "indices_boost", "lookup", "chunk_rescorer", "lang"}
NUMBERS = {"integer", "long", "float", "double", "uint", "number", "ulong", "short", "byte"}


def name_of(name: dict[str, str]) -> str:
    return f"{name['namespace']}.{name['name']}"


def cut(schema: dict[str, Any]) -> dict[str, Any]:
    """The types that `ROOTS` reach, by name."""
    known = {name_of(t["name"]): t for t in schema["types"]}
    out: dict[str, Any] = {}
    todo = list(ROOTS)
    while todo:
        name = todo.pop()
        if name in out or name.startswith("_builtins"):
            continue
        whole = known[name]
        kept: dict[str, Any] = {"kind": whole["kind"]}
        for key in ("members", "type", "inherits", "shortcutProperty", "behaviors"):
            if key in whole:
                kept[key] = whole[key]
        if "members" in kept:
            kept["members"] = [[m["name"], *m.get("aliases", [])] for m in kept["members"]]
        if name in VARIANTS:
            kept["type"]["items"] = [i for i in kept["type"]["items"] if name_of(i["type"]) in VARIANTS[name]]
        body = whole.get("body", {}).get("properties", whole.get("properties"))
        if body is not None:
            used = USED.get(name, {p["name"] for p in body}) - PRUNED
            kept["properties"] = {
                p["name"]: [p["required"], p["type"] if p["name"] in used else {"kind": "any"}] for p in body
            }
        out[name] = kept
        todo += reached(kept)
    return out


def reached(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [name_of(node["type"])] if node.get("kind") == "instance_of" else []
        own += [name_of(node["inherits"]["type"])] if "inherits" in node else []
        return own + [name for value in node.values() for name in reached(value)]
    return [name for value in node for name in reached(value)] if isinstance(node, list) else []


@cache
def types() -> dict[str, Any]:
    return json.loads(Path(__file__).with_suffix(".json").read_text())


def check(value: Any, root: str) -> list[str]:
    """What breaks the schema's type `root`; an empty list when nothing does."""
    return _named(value, root, root)


def _type(value: Any, kind: dict[str, Any], at: str) -> list[str]:
    match kind["kind"]:
        case "instance_of":
            return _named(value, name_of(kind["type"]), at)
        case "array_of":
            if not isinstance(value, list):
                return [f"{at}: no list"]
            return [wrong for i, item in enumerate(value) for wrong in _type(item, kind["value"], f"{at}[{i}]")]
        case "union_of":
            tries = [_type(value, item, at) for item in kind["items"]]
            return [] if [] in tries else min(tries, key=len)
        case "dictionary_of":
            if not isinstance(value, dict):
                return [f"{at}: no object"]
            return [wrong for key, item in value.items() for wrong in _type(item, kind["value"], f"{at}.{key}")]
        case "literal_value":
            return [] if value == kind["value"] else [f"{at}: {value!r} is not {kind['value']!r}"]
    return []  # any, user-defined


def _named(value: Any, name: str, at: str) -> list[str]:
    short = name.rpartition(".")[2]
    if name.startswith("_builtins") or short in NUMBERS:
        fits = {"string": str, "boolean": bool}.get(short, (int, float) if short in NUMBERS else object)
        wrong = not isinstance(value, fits) or (short in NUMBERS and isinstance(value, bool))
        wrong |= short in ("integer", "long", "uint") and isinstance(value, float) and not value.is_integer()
        return [f"{at}: {value!r} is no {short}"] if wrong else []
    held = types()[name]
    if held["kind"] == "type_alias":
        return _type(value, held["type"], at)
    if held["kind"] == "enum":
        return [] if any(value in member for member in held["members"]) else [f"{at}: {value!r} is no {short}"]
    return _object(value, held, at)


def _object(value: Any, held: dict[str, Any], at: str) -> list[str]:
    properties, open_ended, shortcut = {}, False, None
    while held:
        properties |= held.get("properties", {})
        open_ended |= bool(held.get("behaviors"))
        shortcut = shortcut or held.get("shortcutProperty")
        parent = held.get("inherits")
        held = types()[name_of(parent["type"])] if parent else {}
    if not isinstance(value, dict):
        if shortcut:
            return _type(value, properties[shortcut][1], f"{at}.{shortcut}")
        return [f"{at}: no object"]
    wrong = [f"{at}: unknown key {key!r}" for key in value if key not in properties and not open_ended]
    wrong += [f"{at}: no {key}" for key, (required, _) in properties.items() if required and key not in value]
    for key, item in value.items():
        if key in properties:
            wrong += _type(item, properties[key][1], f"{at}.{key}")
    return wrong


if __name__ == "__main__":
    print(json.dumps(cut(json.loads(Path(sys.argv[1]).read_text())), separators=(",", ":"), sort_keys=True))
