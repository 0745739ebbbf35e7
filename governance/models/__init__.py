"""One file a noun; what a package outside needs is imported from here."""

from governance.models.contract import Contract, ContractVersion, Entity

__all__ = ["Contract", "ContractVersion", "Entity"]
