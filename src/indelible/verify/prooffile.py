"""A .tlog-proof file: index, hashes and a signed checkpoint, held against the entry that it is for."""

from __future__ import annotations

from indelible.errors import BadParameter, Unproven
from indelible.model.counting import counted
from indelible.model.header import header
from indelible.tree.merkle import leaf_hash
from indelible.tree.note import Key
from indelible.tree.proofs import verify_inclusion
from indelible.tree.tlogproof import Proof, parse_proof
from indelible.verify.fetch import Remote, Server, log_url
from indelible.verify.server import entry_at, signed_tree
from indelible.verify.targets import content
from indelible.verify.terms import Terms, Verdict
from indelible.verify.trust import Accepted, nobodys_key


def verify(target: str, terms: Terms) -> Verdict:
    """The file, with the entry from `terms` or from the server in it. Raises Malformed or Unproven, and what asking raises."""
    proof = parse_proof(content(target))
    if terms.entry is None and terms.server is None:
        raise BadParameter("a proof is for an entry: --entry FILE with its header, or --server URL to ask for it")
    server = Server(log_url(terms.server), terms.key, terms.patience) if terms.server is not None else None
    try:
        accepted = terms.trust.opened(proof.checkpoint, lambda: _own(server))
        terms.compare(accepted)
        entry = _entry(proof, accepted, terms, server)
    finally:
        if server:
            server.close()
    checkpoint = accepted.checkpoint
    verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    said = header(entry)
    where = f"is entry {proof.index} under {counted(checkpoint.size, 'entry', 'entries')} of {checkpoint.origin}"
    return Verdict([f"{said.id}: {said.type} from {said.source}, recorded {said.recorded}, {where}"], accepted.confirmed)


def _entry(proof: Proof, accepted: Accepted, terms: Terms, server: Server | None) -> bytes:
    if terms.entry is not None:
        return terms.entry.removesuffix(b"\n")
    assert server
    checkpoint = accepted.checkpoint
    if proof.index >= checkpoint.size:
        raise Unproven(f"there is no entry {proof.index} among {checkpoint.size}")
    log = Remote(server)
    return entry_at(log, signed_tree(log, checkpoint.size, checkpoint.root), checkpoint.origin, proof.index)


def _own(server: Server | None) -> list[Key]:
    if server is None:
        raise nobodys_key()
    return list(Remote(server).keys())
