"""How old what the hub knows of each system is, against what was promised; read from the ledger of expectations."""
