"""Certification: what a declaration promises, proven against a system that behaves like the vendor's.

`certify(declaration)` starts the simulator of a catalogue entry on loopback, carries out every stream and every write
operation, breaks answers on purpose, and says for each promise whether it held. Nothing here touches the database.
"""

from connectors.certification.certify import certify
from connectors.certification.proofs import Certificate, Proof
from connectors.certification.rehearsal import NotRehearsed, Rehearsal, rehearse

__all__ = ["Certificate", "NotRehearsed", "Proof", "Rehearsal", "certify", "rehearse"]
