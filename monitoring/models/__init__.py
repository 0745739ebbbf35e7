"""One file a noun; what a package outside needs is imported from here."""

from monitoring.models.term_measurement import SemanticDrift, TermMeasurement

__all__ = ["SemanticDrift", "TermMeasurement"]
