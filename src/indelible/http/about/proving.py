"""The table of operations goes on: what proves the log to others."""

from __future__ import annotations

from indelible import errors
from indelible.http.about.operations import HERE, Answer, Operation

TEXT, BYTES = "text/plain", "application/octet-stream"
_LOST = (errors.BadParameter, errors.NotFound, errors.Busy)
_UNSIGNED = (*_LOST, errors.NotYet)
_LOG = f"{HERE}/v1/logs/default"

_OF_A_TREE = (
    Operation(
        "get_checkpoint",
        "GET",
        "/v1/logs/{log}/checkpoint",
        "The newest signed checkpoint",
        "A signed note (c2sp.org/tlog-checkpoint): origin, size, root, and the signatures of the log and of witnesses. Each entry is "
        "under one about a second later; 404 while the log has none.",
        f"curl {_LOG}/checkpoint",
        (Answer(200, "The note.", media=TEXT), Answer(304, "The client has it: If-None-Match named it.", media=TEXT)),
        _UNSIGNED,
    ),
    Operation(
        "get_vkey",
        "GET",
        "/v1/logs/{log}/vkey",
        "The log's public keys",
        "One a line, as c2sp.org/signed-note writes them, newest first: two while a rotation lasts. Get them from somewhere else "
        "too: a key that comes with what it signs shows only that both fit.",
        f"curl {_LOG}/vkey",
        (Answer(200, "The keys.", media=TEXT), Answer(304, "The client has them.", media=TEXT)),
        _LOST,
    ),
    Operation(
        "get_tile",
        "GET",
        "/v1/logs/{log}/tile/{tile}",
        "A tile of hashes or a bundle of entries",
        "As c2sp.org/tlog-tiles has it: `0/000`, `1/000.p/2`, `entries/x001/234.p/17`. Entries are headers. 404 for what is beyond "
        "the newest checkpoint. Bundles are packed for whoever accepts gzip.",
        f"curl {_LOG}/tile/0/000.p/1",
        (Answer(200, "The bytes.", media=BYTES), Answer(304, "The client has them.", media=BYTES)),
        _LOST,
    ),
)

PROVING = (
    Operation(
        "get_receipt",
        "GET",
        "/v1/receipts/{id}",
        "An event's receipt as of now",
        "`state` climbs: sequenced, then proven once it is under a signed checkpoint, then witnessed once witnesses have cosigned one.",
        f"curl {HERE}/v1/receipts/0192f3a1-7c4e-7b1d-9f00-1d2e3f405162",
        (Answer(200, "The receipt.", ("Receipt",)),),
        (*_LOST, errors.Ambiguous),
        ("deciding source",),
        of_a_log=True,
    ),
    Operation(
        "prove_inclusion",
        "GET",
        "/v1/proof/inclusion",
        "That an entry is in the log",
        "Name it by `id` or by `index`. Without `size` the proof leads to the newest checkpoint, which comes with it. format=tlog-proof or "
        "an Accept of text/plain, gives a file that stands for itself (c2sp.org/tlog-proof).",
        f"curl '{HERE}/v1/proof/inclusion?index=0'",
        (Answer(200, "The proof.", ("InclusionProof",)),),
        (*_UNSIGNED, errors.Ambiguous),
        ("proven id", "proven index", "deciding source", "size", "format"),
        of_a_log=True,
    ),
    Operation(
        "prove_consistency",
        "GET",
        "/v1/proof/consistency",
        "That the log only grew",
        "That its first `from` entries are the beginning of its first `to`; without `to`, of the newest checkpoint.",
        f"curl '{HERE}/v1/proof/consistency?from=1'",
        (Answer(200, "The proof.", ("ConsistencyProof",)),),
        _LOST,
        ("from", "to"),
        of_a_log=True,
    ),
    Operation(
        "list_entries",
        "GET",
        "/v1/logs/{log}/entries",
        "Entries with all that is hashed of them",
        "The events that match, newest first, each with its header and its salt: what it takes to check them against the tiles, and to "
        "check them again later. Whoever is given a salt can show what was stored; whoever has only the header cannot guess it.",
        f"curl '{_LOG}/entries?type=customer.*&from=0&to=1000'",
        (Answer(200, "A page of them.", ("Entries",)),),
        _LOST,
        ("filters", "first", "below", "limit"),
    ),
    Operation(
        "list_trees",
        "GET",
        "/v1/logs/{log}/trees",
        "The log's trees and their keys",
        "One, unless acknowledged events were lost or a backup was put back. Of each what is signed, and every key that ever signed.",
        f"curl {_LOG}/trees",
        (Answer(200, "The trees.", ("LogTrees",)),),
        _LOST,
    ),
    *_OF_A_TREE,
    *(
        each._replace(
            name=f"{each.name}_of_generation",
            path=each.path.replace("{log}/", "{log}/g{generation}/"),
            curl=each.curl.replace("/default/", "/default/g1/"),
            summary=f"{each.summary}, in one generation",
            about="A log has more than one tree where acknowledged events were lost or a backup was put back, each with a name of its own.",
        )
        for each in _OF_A_TREE
    ),
)
